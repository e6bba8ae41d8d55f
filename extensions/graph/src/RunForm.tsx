// A run's input as a form. Python judges what was typed, and says what is wrong at each field.
import type { AnyModel } from '@anywidget/types';
import { useEffect, useId, useRef, useState, type FormEvent, type ReactElement } from 'react';

import { useTrait } from './useTrait';

export interface Field {
  name: string;
  label: string;
  kind: 'text' | 'date' | 'number' | 'integer' | 'boolean' | 'choice' | 'json';
  required: boolean;
  description: string;
  hint: string;
  initial: string;
  choices: { value: string; label: string }[];
}

export interface FormModel {
  title: string;
  fields: Field[];
  problems: Record<string, string>;
  busy: boolean;
  saying: string;
}

type Typed = Record<string, string>;

export function RunForm({ model }: { model: AnyModel<FormModel> }): ReactElement {
  const title = useTrait(model, 'title');
  const fields = useTrait(model, 'fields');
  const told = useTrait(model, 'problems');
  const busy = useTrait(model, 'busy');
  const saying = useTrait(model, 'saying');
  const [typed, setTyped] = useState<Typed>(() =>
    Object.fromEntries(fields.map(field => [field.name, field.initial]))
  );
  // A problem goes as soon as its field is changed.
  const [changed, setChanged] = useState<ReadonlySet<string>>(new Set());
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    setChanged(new Set());
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [told]);

  const run = (event?: FormEvent): void => {
    event?.preventDefault();
    if (!busy) {
      model.send({ do: 'run', typed });
    }
  };
  const type = (name: string, text: string): void => {
    setTyped(before => ({ ...before, [name]: text }));
    setChanged(before => new Set(before).add(name));
  };
  const problem = (name: string): string => (changed.has(name) ? '' : (told[name] ?? ''));

  return (
    <form
      className="af-panel af-form"
      ref={form}
      onSubmit={run}
      noValidate
      data-lm-suppress-shortcuts="true"
      aria-label={`Run ${title}`}
      onKeyDown={event => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          run();
        }
      }}
    >
      <header className="af-bar">
        <strong>{title}</strong>
        {fields.length === 0 && <span className="af-dim">takes no input</span>}
      </header>
      {fields.map(field => (
        <Row
          key={field.name}
          field={field}
          text={typed[field.name] ?? ''}
          problem={problem(field.name)}
          onType={text => type(field.name, text)}
        />
      ))}
      {(told[''] ?? '') !== '' && (
        <div className="af-trouble" role="alert">
          {told['']}
        </div>
      )}
      <footer className="af-bar">
        <button type="submit" className="af-main" disabled={busy}>
          Run
        </button>
        <button type="button" disabled={!busy} onClick={() => model.send({ do: 'cancel' })}>
          Cancel
        </button>
        <span className="af-dim" role="status">
          {saying === '' ? '' : `${saying} …`}
        </span>
      </footer>
    </form>
  );
}

interface RowProps {
  field: Field;
  text: string;
  problem: string;
  onType: (text: string) => void;
}

function Row({ field, text, problem, onType }: RowProps): ReactElement {
  const id = useId();
  const described = [field.description, field.hint].filter(one => one !== '').join(' · ');
  return (
    <div className={`af-row${problem === '' ? '' : ' af-wrong'}`}>
      <label htmlFor={id}>
        {field.label}
        {field.required && (
          <span className="af-required" title="required">
            *
          </span>
        )}
      </label>
      <div>
        <Input id={id} field={field} text={text} problem={problem} onType={onType} />
        {described !== '' && (
          <div className="af-dim" id={`${id}-said`}>
            {described}
          </div>
        )}
        {problem !== '' && (
          <div className="af-problem" id={`${id}-problem`} role="alert">
            {problem}
          </div>
        )}
      </div>
    </div>
  );
}

function Input({ id, field, text, problem, onType }: RowProps & { id: string }): ReactElement {
  const common = {
    id,
    'aria-invalid': problem !== '',
    'aria-required': field.required,
    'aria-describedby': problem === '' ? `${id}-said` : `${id}-problem`
  };
  switch (field.kind) {
    case 'boolean':
      return (
        <input
          {...common}
          type="checkbox"
          checked={text === 'true'}
          onChange={event => onType(event.target.checked ? 'true' : 'false')}
        />
      );
    case 'choice':
      return (
        <select {...common} value={text} onChange={event => onType(event.target.value)}>
          {(!field.required || text === '') && <option value="" />}
          {field.choices.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      );
    case 'number':
    case 'integer':
      return (
        <input
          {...common}
          type="text"
          inputMode={field.kind === 'integer' ? 'numeric' : 'decimal'}
          className="af-number"
          value={text}
          onChange={event => onType(event.target.value)}
        />
      );
    case 'date':
      return (
        <input
          {...common}
          type="date"
          value={text}
          onChange={event => onType(event.target.value)}
        />
      );
    case 'text':
    case 'json':
      return (
        <textarea
          {...common}
          className={field.kind === 'json' ? 'af-json' : ''}
          rows={Math.min(12, text.split('\n').length)}
          spellCheck={field.kind === 'text'}
          value={text}
          onChange={event => onType(event.target.value)}
        />
      );
  }
}
