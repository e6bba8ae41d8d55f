// How nodes are drawn: a box, or a frame around the nodes inside one.
import { Handle, Position, type NodeProps } from '@xyflow/react';
import { memo, type CSSProperties, type ReactElement } from 'react';

import type { Box, BoxData } from './elements';
import { cost, count, duration } from './figures';
import { FamilyIcon, StateIcon } from './icons';
import { familyLook } from './look';
import type { NodeState, ViewNode } from './types';
import { useElapsed } from './useElapsed';

export const BoxNode = memo(function BoxNode({ data }: NodeProps<Box>): ReactElement {
  const { box, status } = data;
  return (
    <div className={classes('af-box', box, status)} style={colored(box)} title={tip(box, status)}>
      <FamilyIcon family={box.family} />
      <div className="af-texts">
        <div className="af-name">
          <span>{box.name}</span>
          {status !== undefined && <StateIcon state={status.state} />}
        </div>
        <div className="af-kind">{box.kind}</div>
        <div className="af-line">
          {status === undefined ? box.description : <Figures status={status} />}
        </div>
      </div>
      <Ports data={data} />
    </div>
  );
});

export const FrameNode = memo(function FrameNode({ data }: NodeProps<Box>): ReactElement {
  const { box, status } = data;
  const branch = box.kind === 'body';
  return (
    <div
      className={classes(branch ? 'af-branch' : 'af-frame', box, status)}
      style={colored(box)}
      title={tip(box, status)}
    >
      <div className="af-head">
        {!branch && <FamilyIcon family={box.family} />}
        <div className="af-texts">
          <div className="af-name">
            <span>{box.name}</span>
            {status !== undefined && <StateIcon state={status.state} />}
          </div>
          {!branch && (
            <div className="af-second">
              <span className="af-kind">{box.kind}</span>
              {status !== undefined && (
                <span className="af-line">
                  <Figures status={status} />
                </span>
              )}
            </div>
          )}
        </div>
      </div>
      {!branch && <Ports data={data} />}
    </div>
  );
});

function Ports({ data }: { data: BoxData }): ReactElement {
  const { box, entered, left } = data;
  return (
    <>
      <Handle
        type="target"
        position={Position.Left}
        className={entered ? '' : 'af-unused'}
        style={{ top: box.entry }}
      />
      {box.ports.map(port => (
        <Handle
          key={port.name}
          id={port.name}
          type="source"
          position={Position.Right}
          className={`${left || port.shown ? '' : 'af-unused'} ${port.name === 'error' ? 'af-error' : ''}`}
          style={{ top: port.y }}
        >
          {port.shown && (
            <span className="af-port" title={port.name}>
              {port.name}
            </span>
          )}
        </Handle>
      ))}
    </>
  );
}

function Figures({ status }: { status: NodeState }): ReactElement {
  const elapsed = useElapsed(status.state === 'running' ? (status.since ?? null) : null);
  if (status.state === 'failed' && status.error !== undefined && status.error !== '') {
    return <span className="af-problem">{status.error}</span>;
  }
  const seconds = elapsed ?? status.seconds ?? null;
  const said: string[] = [];
  if (seconds === null) {
    said.push(status.state);
  } else {
    said.push(duration(seconds));
  }
  if (status.tokens !== undefined && status.tokens > 0) {
    said.push(`${count(status.tokens)} tok`, cost(status.cost));
  }
  return <span>{said.join(' · ')}</span>;
}

function classes(base: string, box: ViewNode, status: NodeState | undefined): string {
  const sound = box.sound ? '' : ' af-unsound';
  return `${base}${sound}${status === undefined ? '' : ` af-${status.state}`}`;
}

function colored(box: ViewNode): CSSProperties {
  return { '--af-color': familyLook(box.family).color } as CSSProperties;
}

function tip(box: ViewNode, status: NodeState | undefined): string {
  const lines = [`${box.name} (${box.kind})`, box.description, status?.error ?? ''];
  return lines.filter(line => line !== '').join('\n');
}
