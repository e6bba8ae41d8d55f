// An agent's graph, live: states of nodes, selection, keyboard. It changes nothing in the agent.
import {
  Background,
  BackgroundVariant,
  Controls,
  MiniMap,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  type NodeChange
} from '@xyflow/react';
import { useCallback, useEffect, useMemo, useRef, type KeyboardEvent, type ReactElement } from 'react';

import { BoxNode, FrameNode } from './Boxes';
import { boxes, ways, type Box } from './elements';
import { familyLook, stateLook } from './look';
import { neighbour, type Direction } from './steps';
import type { GraphView, NodeStates } from './types';
import { WayEdge } from './WayEdge';

export interface AgentGraphProps {
  view: GraphView;
  states?: NodeStates;
  selected?: string | null;
  onSelect?: (id: string | null) => void;
}

const NODE_TYPES = { box: BoxNode, group: FrameNode };
const EDGE_TYPES = { way: WayEdge };
const MANY = 16;
const SMALLEST = 0.02;
/** No smaller than can still be read; what does not fit then is scrolled to, by mouse or minimap. */
const FIT = {
  padding: { top: '20px', right: '24px', bottom: '48px', left: '24px' },
  maxZoom: 1,
  minZoom: 0.55
} as const;
const DIRECTIONS: Record<string, Direction> = {
  ArrowRight: 'onward',
  ArrowLeft: 'back',
  ArrowUp: 'up',
  ArrowDown: 'down'
};

export function AgentGraph(props: AgentGraphProps): ReactElement {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function Flow({ view, states = {}, selected = null, onSelect }: AgentGraphProps): ReactElement {
  const nodes = useMemo(() => boxes(view, states, selected), [view, states, selected]);
  const edges = useMemo(() => ways(view, states), [view, states]);
  const frame = useRef<HTMLDivElement>(null);
  const flow = useReactFlow();

  const show = useCallback(() => {
    const element = frame.current;
    if (element === null || element.clientWidth === 0) {
      return;
    }
    const zoom = Math.min(
      FIT.maxZoom,
      (element.clientWidth - 48) / view.width,
      (element.clientHeight - 68) / view.height
    );
    if (zoom >= FIT.minZoom) {
      void flow.fitView(FIT);
    } else {
      const { x, y } = beginning(view);
      const top = (element.clientHeight - 28) / 2 - y * FIT.minZoom;
      const least = element.clientHeight - 48 - view.height * FIT.minZoom;
      const inside = Math.min(20, Math.max(top, least));
      void flow.setViewport({ x: 24 - x * FIT.minZoom, y: inside, zoom: FIT.minZoom });
    }
  }, [flow, view]);

  // A notebook gives the widget its width after it was made, and another when a panel is moved.
  useEffect(() => {
    const element = frame.current;
    if (element === null) {
      return;
    }
    const observer = new ResizeObserver(show);
    observer.observe(element);
    return () => observer.disconnect();
  }, [show]);

  const change = (changes: NodeChange<Box>[]): void => {
    const made = changes.filter(one => one.type === 'select');
    if (made.length > 0) {
      onSelect?.(made.find(one => one.selected)?.id ?? null);
    }
  };

  const move = (event: KeyboardEvent): void => {
    const direction = DIRECTIONS[event.key];
    const at = (event.target as HTMLElement).closest('.react-flow__node')?.getAttribute('data-id');
    if (direction === undefined || at === null || at === undefined) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const to = neighbour(view, at, direction);
    const found = frame.current?.querySelector<HTMLElement>(
      `.react-flow__node[data-id="${CSS.escape(to)}"]`
    );
    found?.focus();
  };

  return (
    <div className="af-graph" ref={frame} onKeyDownCapture={move} data-lm-suppress-shortcuts="true">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={change}
        onInit={show}
        minZoom={SMALLEST}
        maxZoom={2}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        elementsSelectable={true}
        selectNodesOnDrag={false}
        deleteKeyCode={null}
        multiSelectionKeyCode={null}
        selectionKeyCode={null}
        zoomOnScroll={false}
        preventScrolling={false}
        onlyRenderVisibleElements={view.nodes.length > 100}
        aria-label={`Graph of ${view.agent}`}
        ariaLabelConfig={{
          'node.a11yDescription.default':
            'Enter selects the node, the arrows go to those before and after it.'
        }}
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1} />
        <Controls
          position="bottom-left"
          orientation="horizontal"
          showInteractive={false}
          fitViewOptions={{ ...FIT, minZoom: SMALLEST }}
        />
        {view.nodes.length > MANY && (
          <MiniMap<Box>
            pannable
            zoomable
            ariaLabel="The whole graph"
            nodeColor={miniature}
            nodeBorderRadius={24}
            style={{ width: 180, height: 110 }}
          />
        )}
      </ReactFlow>
    </div>
  );
}

/** Where a graph begins: its left edge, at the height of what stands there. */
function beginning(view: GraphView): { x: number; y: number } {
  const outer = view.nodes.filter(node => node.parent === null);
  const left = Math.min(...outer.map(node => node.x));
  const first = outer.find(node => node.x === left);
  return { x: left, y: first === undefined ? 0 : first.y + first.height / 2 };
}

function miniature({ data }: Box): string {
  if (data.box.holds) {
    return 'transparent';
  }
  return data.status === undefined
    ? familyLook(data.box.family).color
    : stateLook(data.status.state).color;
}
