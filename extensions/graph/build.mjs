// Bundles the widgets into the Python package: node build.mjs [FOLDER]
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const folder = process.argv[2] ?? '../../agentflow_dagster/jupyter/static';

const { metafile } = await build({
  entryPoints: { graph: 'src/widget.tsx' },
  outdir: folder,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  metafile: true,
  define: { 'process.env.NODE_ENV': '"production"' },
  jsx: 'automatic',
  logLevel: 'warning'
});

// The licences of all that is in the bundle: they ask for their text to go with it.
const packages = new Set(
  Object.keys(metafile.inputs)
    .map(input => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1])
    .filter(name => name !== undefined)
);
const notices = [...packages].sort().map(name => {
  const place = join('node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'));
  const file = readdirSync(place).find(one => /^licen[cs]e/i.test(one));
  const text = file === undefined ? `Licence: ${license}` : readFileSync(join(place, file), 'utf8');
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
});
const line = `\n${'-'.repeat(80)}\n\n`;
writeFileSync(
  join(folder, 'graph.licenses.txt'),
  `graph.js and graph.css hold these libraries.\n${line}${notices.join(line)}`
);
