// Colours and icons, the same for the live graph and the static picture that Python draws.
import look from '../../../agentflow_dagster/jupyter/look.json';

import type { State } from './types';

export interface Look {
  color: string;
  icon: string;
  filled?: boolean;
}

const FAMILIES: Record<string, Look> = look.families;
const STATES: Record<State, Look> = look.states;

export function familyLook(family: string): Look {
  return FAMILIES[family] ?? look.families.other;
}

export function stateLook(state: State): Look {
  return STATES[state];
}
