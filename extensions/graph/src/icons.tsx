// The icons of families of kinds, and of states.
import type { CSSProperties, ReactElement } from 'react';

import { familyLook, stateLook } from './look';
import type { State } from './types';

export function FamilyIcon({ family }: { family: string }): ReactElement {
  const { icon, filled } = familyLook(family);
  return (
    <span className="af-family" aria-hidden="true">
      <svg className={filled === true ? 'af-filled' : ''} viewBox="0 0 16 16">
        <path d={icon} />
      </svg>
    </span>
  );
}

export function StateIcon({ state }: { state: State }): ReactElement {
  const { color, icon } = stateLook(state);
  const style = { '--af-state': color } as CSSProperties;
  return (
    <svg
      className={`af-state af-is-${state}`}
      style={style}
      viewBox="0 0 16 16"
      role="img"
      aria-label={state}
    >
      <title>{state}</title>
      <circle cx="8" cy="8" r="7" />
      <path d={icon} />
    </svg>
  );
}
