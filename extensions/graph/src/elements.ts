// From the view that Python made to React Flow's nodes and edges.
import type { Edge, Node } from '@xyflow/react';

import type { GraphView, NodeState, NodeStates, ViewEdge, ViewNode } from './types';

export type BoxData = {
  box: ViewNode;
  status: NodeState | undefined;
  /** Whether edges end and begin here. */
  entered: boolean;
  left: boolean;
};
export type WayData = { way: ViewEdge; taken: boolean; left: boolean };
export type Box = Node<BoxData>;
export type Way = Edge<WayData>;

export function boxes(view: GraphView, states: NodeStates, selected: string | null): Box[] {
  const targets = new Set(view.edges.map(edge => edge.target));
  const sources = new Set(view.edges.map(edge => edge.source));
  return view.nodes.map(box => ({
    id: box.id,
    type: box.holds ? 'group' : 'box',
    position: { x: box.x, y: box.y },
    ...(box.parent === null ? {} : { parentId: box.parent }),
    width: box.width,
    height: box.height,
    data: {
      box,
      status: states[box.id],
      entered: targets.has(box.id),
      left: sources.has(box.id)
    },
    selected: box.id === selected,
    selectable: box.kind !== 'body',
    focusable: box.kind !== 'body',
    ariaLabel: spoken(box, states[box.id])
  }));
}

export function ways(view: GraphView, states: NodeStates): Way[] {
  return view.edges.map(way => {
    const from = states[way.source];
    const to = states[way.target];
    const ended = from?.state === 'done' || from?.state === 'handled';
    const taken = ended && to !== undefined && went(from, way.port) && to.state !== 'skipped';
    const left = to?.state === 'skipped' || from?.state === 'skipped' || (ended && !taken);
    return {
      id: way.id,
      source: way.source,
      sourceHandle: way.port,
      target: way.target,
      type: 'way',
      focusable: false,
      selectable: false,
      zIndex: way.source.split('.').length - 1,
      data: { way, taken, left: left && to !== undefined }
    };
  });
}

/** Whether a node has left by a port; where it does not say by which, whatever it leads to tells. */
function went(from: NodeState, port: string): boolean {
  return from.port === undefined || from.port === '' || from.port === port;
}

function spoken(box: ViewNode, status: NodeState | undefined): string {
  const state = status === undefined ? '' : `, ${status.state}`;
  const said = box.description === '' ? '' : `: ${box.description}`;
  return `${box.name}, ${box.kind}${state}${said}`;
}

/** A smooth line through points, level where it passes one. */
export function path(points: [number, number][]): string {
  const [first, ...rest] = points;
  if (first === undefined) {
    return '';
  }
  let [x, y] = first;
  let drawn = `M${x},${y}`;
  for (const [toX, toY] of rest) {
    if (y === toY && toX > x) {
      drawn += ` L${toX},${toY}`;
    } else {
      const reach = toX > x ? (toX - x) / 2 : Math.min(160, 40 + (x - toX) / 4);
      drawn += ` C${x + reach},${y} ${toX - reach},${toY} ${toX},${toY}`;
    }
    [x, y] = [toX, toY];
  }
  return drawn;
}
