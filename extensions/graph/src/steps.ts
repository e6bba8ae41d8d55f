// From node to node by the arrow keys.
import type { GraphView, ViewNode } from './types';

export type Direction = 'onward' | 'back' | 'up' | 'down';

/** The node that lies in a direction; the same one where there is none. */
export function neighbour(view: GraphView, at: string, direction: Direction): string {
  const here = view.nodes.find(node => node.id === at);
  if (here === undefined) {
    return at;
  }
  switch (direction) {
    case 'onward': {
      const inside = here.holds ? view.nodes.find(node => node.id.startsWith(`${at}.`)) : undefined;
      const next = view.edges.find(edge => edge.source === at)?.target;
      return next ?? inside?.id ?? at;
    }
    case 'back':
      return view.edges.find(edge => edge.target === at)?.source ?? here.parent ?? at;
    case 'up':
    case 'down':
      return inColumn(view, here, direction === 'up' ? -1 : 1)?.id ?? at;
  }
}

function inColumn(view: GraphView, here: ViewNode, sign: number): ViewNode | undefined {
  return view.nodes
    .filter(node => node.parent === here.parent && sign * (node.y - here.y) > 0)
    .sort((a, b) => distance(a, here) - distance(b, here))[0];
}

function distance(a: ViewNode, b: ViewNode): number {
  return Math.abs(a.y - b.y) + 2 * Math.abs(a.x - b.x);
}
