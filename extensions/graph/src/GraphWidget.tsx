// The graph as a widget: its height is given, and its lower edge can be dragged.
import type { AnyModel } from '@anywidget/types';
import type { ReactElement } from 'react';

import { AgentGraph } from './AgentGraph';
import type { GraphView, NodeStates } from './types';
import { useTrait } from './useTrait';

export interface GraphModel {
  graph: GraphView;
  states: NodeStates;
  selected: string | null;
  height: number;
}

export function GraphWidget({ model }: { model: AnyModel<GraphModel> }): ReactElement {
  const view = useTrait(model, 'graph');
  const states = useTrait(model, 'states');
  const selected = useTrait(model, 'selected');
  const height = useTrait(model, 'height');
  const select = (id: string | null): void => {
    model.set('selected', id);
    model.save_changes();
  };
  return (
    <div className="af-sized" style={{ height }}>
      <AgentGraph view={view} states={states} selected={selected} onSelect={select} />
    </div>
  );
}
