// What anywidget loads: which of the widgets it is, the model says.
import type { AnyModel, Render } from '@anywidget/types';
import { StrictMode, type ReactElement } from 'react';
import { createRoot } from 'react-dom/client';

import '@xyflow/react/dist/style.css';
import '../style/graph.css';
import '../style/widgets.css';

import { GraphWidget, type GraphModel } from './GraphWidget';
import { RunForm, type FormModel } from './RunForm';
import { RunHistory, type HistoryModel } from './RunHistory';
import { RunView, type RunModel } from './RunView';
import { TestBench, type BenchModel } from './TestBench';

type Model = GraphModel & FormModel & RunModel & HistoryModel & BenchModel & { _part: string };

function part(model: AnyModel<Model>): ReactElement {
  switch (model.get('_part')) {
    case 'form':
      return <RunForm model={model as unknown as AnyModel<FormModel>} />;
    case 'run':
      return <RunView model={model as unknown as AnyModel<RunModel>} />;
    case 'history':
      return <RunHistory model={model as unknown as AnyModel<HistoryModel>} />;
    case 'bench':
      return <TestBench model={model as unknown as AnyModel<BenchModel>} />;
    default:
      return <GraphWidget model={model as unknown as AnyModel<GraphModel>} />;
  }
}

const render: Render<Model> = ({ model, el }) => {
  el.classList.add('af-widget');
  const root = createRoot(el);
  root.render(<StrictMode>{part(model)}</StrictMode>);
  return () => root.unmount();
};

export default { render };
