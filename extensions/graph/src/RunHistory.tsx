// The newest runs, to be filtered by how they stand.
import type { AnyModel } from '@anywidget/types';
import { useState, type ReactElement } from 'react';

import { cost, duration } from './figures';
import { StateIcon } from './icons';
import type { State } from './types';
import { useTrait } from './useTrait';

interface PastRun {
  run_id: string;
  agent: string;
  trigger: string;
  status: string;
  started_at: string | null;
  seconds: number | null;
  cost: number | null;
  url: string;
}

export interface HistoryModel {
  title: string;
  runs: PastRun[];
  busy: boolean;
  problem: string;
}

const ICONS: Record<string, State> = {
  SUCCESS: 'done',
  FAILURE: 'failed',
  CANCELED: 'canceled',
  CANCELING: 'canceled',
  STARTED: 'running'
};

export function RunHistory({ model }: { model: AnyModel<HistoryModel> }): ReactElement {
  const title = useTrait(model, 'title');
  const runs = useTrait(model, 'runs');
  const busy = useTrait(model, 'busy');
  const problem = useTrait(model, 'problem');
  const [status, setStatus] = useState('');
  const counts = new Map<string, number>();
  for (const run of runs) {
    counts.set(run.status, (counts.get(run.status) ?? 0) + 1);
  }
  const shown = runs.filter(run => status === '' || run.status === status);
  const several = new Set(runs.map(run => run.agent)).size > 1;
  return (
    <section className="af-panel" aria-label={`Runs of ${title}`} data-lm-suppress-shortcuts="true">
      <header className="af-bar">
        <strong>Runs of {title}</strong>
        <select
          aria-label="Status"
          value={status}
          onChange={event => setStatus(event.target.value)}
        >
          <option value="">all ({runs.length})</option>
          {[...counts].map(([name, number]) => (
            <option key={name} value={name}>
              {name.toLowerCase()} ({number})
            </option>
          ))}
        </select>
        <button
          type="button"
          className="af-end"
          disabled={busy}
          onClick={() => model.send({ do: 'refresh' })}
        >
          {busy ? 'Reading …' : 'Refresh'}
        </button>
      </header>
      {problem !== '' && (
        <div className="af-trouble" role="alert">
          {problem}
        </div>
      )}
      {shown.length === 0 ? (
        <p className="af-dim af-empty">No runs yet.</p>
      ) : (
        <div className="af-scroll" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th>status</th>
                {several && <th>agent</th>}
                <th>started</th>
                <th className="af-right">took</th>
                <th className="af-right">cost</th>
                <th>trigger</th>
                <th>run</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(run => (
                <tr key={run.run_id}>
                  <td>
                    <span className="af-status">
                      <StateIcon state={ICONS[run.status] ?? 'waiting'} />
                      {run.status.toLowerCase()}
                    </span>
                  </td>
                  {several && <td>{run.agent}</td>}
                  <td>{run.started_at === null ? '–' : moment(run.started_at)}</td>
                  <td className="af-right">
                    {run.seconds === null ? '–' : duration(run.seconds)}
                  </td>
                  <td className="af-right">{cost(run.cost)}</td>
                  <td>{run.trigger === '' ? '–' : run.trigger}</td>
                  <td>
                    {run.url === '' ? (
                      <code title={run.run_id}>{run.run_id.slice(0, 8)}</code>
                    ) : (
                      <a href={run.url} target="_blank" rel="noreferrer" title={run.run_id}>
                        {run.run_id.slice(0, 8)}
                      </a>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function moment(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}
