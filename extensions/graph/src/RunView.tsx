// A run while it happens: figures, the graph, what was said, what it has put out.
import type { AnyModel } from '@anywidget/types';
import { useEffect, useRef, type ReactElement } from 'react';

import { cost, count, duration } from './figures';
import { GraphWidget, type GraphModel } from './GraphWidget';
import { StateIcon } from './icons';
import type { State } from './types';
import { useElapsed } from './useElapsed';
import { useTrait } from './useTrait';

interface Line {
  at: string;
  node: string;
  text: string;
  tone: 'plain' | 'good' | 'bad' | 'quiet';
}

interface Said {
  path: string;
  text: string;
}

interface Run {
  id: string;
  url: string;
  state: string;
  since: number | null;
  seconds: number | null;
  tokens: number;
  cost: number | null;
}

export interface RunModel extends GraphModel {
  run: Run | Record<string, never>;
  lines: Line[];
  said: Said[];
  outputs: Record<string, unknown>;
  error: string;
}

const ICONS: Record<string, State> = {
  succeeded: 'done',
  failed: 'failed',
  canceled: 'canceled',
  canceling: 'canceled',
  suspended: 'suspended',
  started: 'running',
  resumed: 'running'
};

export function RunView({ model }: { model: AnyModel<RunModel> }): ReactElement {
  const run = useTrait(model, 'run');
  const lines = useTrait(model, 'lines');
  const said = useTrait(model, 'said');
  const outputs = useTrait(model, 'outputs');
  const error = useTrait(model, 'error');
  const selected = useTrait(model, 'selected');
  const shown = selected === null ? lines : lines.filter(line => line.node === selected);
  return (
    <section className="af-panel af-run" aria-label="Run">
      {isRun(run) && <Figures run={run} />}
      <GraphWidget model={model as unknown as AnyModel<GraphModel>} />
      {error !== '' && (
        <div className="af-trouble" role="alert">
          {error}
        </div>
      )}
      {said.length > 0 && <Speaking said={said} />}
      {Object.keys(outputs).length > 0 && <Outputs outputs={outputs} />}
      {lines.length > 0 && (
        <details>
          <summary>
            Log{selected === null ? '' : ` of ${selected}`} <span className="af-dim">({shown.length})</span>
          </summary>
          <Log lines={shown} />
        </details>
      )}
    </section>
  );
}

function isRun(run: Run | Record<string, never>): run is Run {
  return 'id' in run;
}

function Figures({ run }: { run: Run }): ReactElement {
  const elapsed = useElapsed(run.since);
  const seconds = run.seconds ?? elapsed;
  const figures = [
    ...(seconds === null ? [] : [duration(seconds)]),
    ...(run.tokens > 0 ? [`${count(run.tokens)} tokens`, cost(run.cost)] : [])
  ];
  return (
    <header className="af-bar" role="status">
      <StateIcon state={ICONS[run.state] ?? 'waiting'} />
      <strong>{run.state === 'started' ? 'running' : run.state}</strong>
      <span className="af-dim af-figures">{figures.join(' · ')}</span>
      <span className="af-end">
        <code title={run.id}>{run.id.slice(0, 8)}</code>
        {run.url !== '' && (
          <a href={run.url} target="_blank" rel="noreferrer">
            Open in Dagster
          </a>
        )}
      </span>
    </header>
  );
}

/** What models say at this moment: the end of it. */
function Speaking({ said }: { said: Said[] }): ReactElement {
  return (
    <dl className="af-outputs af-speaking" aria-label="What models say now">
      {said.map(({ path, text }) => (
        <div key={path}>
          <dt>{path}</dt>
          <dd>
            <pre>{text}</pre>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Outputs({ outputs }: { outputs: Record<string, unknown> }): ReactElement {
  return (
    <dl className="af-outputs">
      {Object.entries(outputs).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <pre>{typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Log({ lines }: { lines: Line[] }): ReactElement {
  const end = useRef<HTMLDivElement>(null);
  // Stays at the end while lines come, unless somebody has scrolled up.
  useEffect(() => {
    const log = end.current?.parentElement;
    if (log && log.scrollHeight - log.scrollTop - log.clientHeight < 80) {
      log.scrollTop = log.scrollHeight;
    }
  }, [lines]);
  return (
    <div className="af-log" role="log" tabIndex={0}>
      {lines.map((line, index) => (
        <div key={index} className={`af-tone-${line.tone}`}>
          <span className="af-dim">{line.at}</span> {line.node !== '' && <b>{line.node} </b>}
          {line.text}
        </div>
      ))}
      <div ref={end} />
    </div>
  );
}
