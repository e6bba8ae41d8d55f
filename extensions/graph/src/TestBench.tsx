// A document's tests: run all or one, and see what does not hold.
import type { AnyModel } from '@anywidget/types';
import type { ReactElement } from 'react';

import { cost, duration } from './figures';
import { StateIcon } from './icons';
import type { State } from './types';
import { useTrait } from './useTrait';

interface Test {
  name: string;
  description: string;
  node: string;
  state: 'not run' | 'waiting' | 'running' | 'passed' | 'failed';
  cases: number;
  passed: number;
  seconds: number | null;
  cost: number | null;
  lines: string[];
}

export interface BenchModel {
  title: string;
  tests: Test[];
  busy: boolean;
}

const ICONS: Record<Test['state'], State> = {
  'not run': 'skipped',
  waiting: 'waiting',
  running: 'running',
  passed: 'done',
  failed: 'failed'
};

export function TestBench({ model }: { model: AnyModel<BenchModel> }): ReactElement {
  const title = useTrait(model, 'title');
  const tests = useTrait(model, 'tests');
  const busy = useTrait(model, 'busy');
  const passed = tests.filter(test => test.state === 'passed').length;
  const failed = tests.filter(test => test.state === 'failed').length;
  return (
    <section className="af-panel" aria-label={`Tests of ${title}`} data-lm-suppress-shortcuts="true">
      <header className="af-bar">
        <strong>Tests of {title}</strong>
        <span role="status" className="af-dim">
          {passed + failed > 0 && `${passed} passed, ${failed} failed`}
        </span>
        <span className="af-end">
          {busy && (
            <button type="button" onClick={() => model.send({ do: 'cancel' })}>
              Stop
            </button>
          )}
          <button
            type="button"
            className="af-main"
            disabled={busy || tests.length === 0}
            onClick={() => model.send({ do: 'run' })}
          >
            Run all
          </button>
        </span>
      </header>
      {tests.length === 0 && <p className="af-dim af-empty">The document has no tests.</p>}
      <ul className="af-tests">
        {tests.map(test => (
          <li key={test.name}>
            <div className="af-bar">
              <StateIcon state={ICONS[test.state]} />
              <span className="af-testname">{test.name}</span>
              <span className="af-dim af-said">{test.description}</span>
              <span className="af-end af-dim af-figures">{figures(test)}</span>
              <button
                type="button"
                disabled={busy}
                aria-label={`Run ${test.name}`}
                onClick={() => model.send({ do: 'run', names: [test.name] })}
              >
                Run
              </button>
            </div>
            {test.lines.length > 0 && (
              <pre className="af-diff">
                {test.lines.map((line, index) => (
                  <span key={index} className={tone(line)}>
                    {`${line}\n`}
                  </span>
                ))}
              </pre>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function figures(test: Test): string {
  if (test.seconds === null) {
    return test.node === '' ? '' : `node ${test.node}`;
  }
  const cases = test.cases > 1 ? [`${test.passed}/${test.cases} cases`] : [];
  return [...cases, duration(test.seconds), cost(test.cost)].join(' · ');
}

/** The lines of a difference are indented, and begin with what they are. */
function tone(line: string): string {
  switch (/^ {2}([-+?]) ?/.exec(line)?.[1]) {
    case '-':
      return 'af-minus';
    case '+':
      return 'af-plus';
    case '?':
      return 'af-dim';
    default:
      return '';
  }
}
