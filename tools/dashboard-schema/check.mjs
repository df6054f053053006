// Checks dashboards against Grafana 13: every key and type with tsc and @grafana/schema, every unit with @grafana/data.
// usage: node check.mjs FILE.json ...   exit status 1: something is wrong, and is printed
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const here = import.meta.dirname;
const data = require.resolve('@grafana/data').replace(/(@grafana\/data\/dist\/).*/, '$1');
const categories = readFileSync(join(data, 'esm', 'valueFormats', 'categories.mjs'), 'utf8');
const units = new Set([...categories.matchAll(/\bid: "([^"]*)"/g)].map((match) => match[1]));

function unitsOf(value, found = []) {
  if (Array.isArray(value)) value.forEach((item) => unitsOf(item, found));
  else if (value && typeof value === 'object') {
    if (typeof value.unit === 'string') found.push(value.unit);
    if (value.id === 'unit') found.push(value.value);
    Object.values(value).forEach((item) => unitsOf(item, found));
  }
  return found;
}

// JSON has plain strings where the schema has string enums: take any string that spells one of the enum's values.
const PRELUDE = `import type { Dashboard } from '@grafana/schema';
type Plain<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T :
  T extends Array<infer Item> ? Plain<Item>[] : T extends object ? { [Key in keyof T]: Plain<T[Key]> } : T;
`;

// What the schema does not say and Grafana does: a variable without a value yet has an empty one, and an annotation
// holds keys of its data source, here Prometheus.
const OF_PROMETHEUS = ['expr', 'titleFormat', 'textFormat', 'tagKeys', 'useValueForTime'];

function withoutKnownGaps(dashboard) {
  for (const variable of dashboard.templating.list) {
    if (Object.keys(variable.current).length === 0) delete variable.current;
  }
  for (const annotation of dashboard.annotations.list) OF_PROMETHEUS.forEach((key) => delete annotation[key]);
  return dashboard;
}

function typeErrors(files) {
  const folder = mkdtempSync(join(here, 'check-'));
  try {
    const sources = files.map((file, index) => {
      const source = join(folder, `${index}-${basename(file, '.json')}.ts`);
      const literal = JSON.stringify(withoutKnownGaps(JSON.parse(readFileSync(file, 'utf8'))), null, 1);
      writeFileSync(source, `${PRELUDE}export const dashboard: Plain<Dashboard> = ${literal};\n`);
      return source;
    });
    const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022'];
    execFileSync(process.execPath, [tsc, ...options, ...sources], { encoding: 'utf8', cwd: here });
    return '';
  } catch (error) {
    return error.stdout || String(error);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const files = process.argv.slice(2);
const problems = [];
for (const file of files) {
  const unknown = new Set(unitsOf(JSON.parse(readFileSync(file, 'utf8'))).filter((unit) => !units.has(unit)));
  unknown.forEach((unit) => problems.push(`${basename(file)}: Grafana has no unit ${JSON.stringify(unit)}`));
}
if (units.size < 200) problems.push(`only ${units.size} units were found in @grafana/data: has it moved them?`);
const types = typeErrors(files);
if (types) problems.push(types);
console.log(problems.length ? problems.join('\n') : `${files.length} dashboards, ${units.size} units: all known to Grafana`);
process.exit(problems.length || !files.length ? 1 : 0);
