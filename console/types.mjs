// Writes src/api.ts, the types of what the server answers, from its own description in openapi.json; with --check it
// fails where src/api.ts is not what it would write. A Rust test holds openapi.json equal to what the server answers.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DESCRIPTION = fileURLToPath(new URL('openapi.json', import.meta.url));
const TYPES = fileURLToPath(new URL('src/api.ts', import.meta.url));

const SIMPLE = { string: 'string', integer: 'number', number: 'number', boolean: 'boolean', null: 'null' };
const isName = (name) => /^[A-Za-z_$][\w$]*$/.test(name);
const either = (types) => [...new Set(types)].join(' | ');

/** The type of a schema as TypeScript writes it. */
function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return either(schema.enum.map((value) => JSON.stringify(value)));
  const parts = schema.oneOf ?? schema.anyOf;
  if (parts) return either(parts.map(typeOf));
  if (schema.allOf) return schema.allOf.map(typeOf).join(' & ');
  if (Array.isArray(schema.type)) return either(schema.type.map((type) => typeOf({ ...schema, type })));
  if (schema.type === 'array') {
    if (schema.minItems && schema.minItems === schema.maxItems) return `[${Array(schema.minItems).fill(typeOf(schema.items)).join(', ')}]`;
    const item = typeOf(schema.items ?? {});
    return /[|&]/.test(item) ? `(${item})[]` : `${item}[]`;
  }
  if (schema.type === 'object' || schema.properties) return objectOf(schema);
  return SIMPLE[schema.type] ?? 'unknown';
}

function objectOf({ properties, required = [], additionalProperties }) {
  if (!properties) return `Record<string, ${typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown'}>`;
  const fields = Object.entries(properties).map(([name, schema]) => {
    const key = isName(name) ? name : JSON.stringify(name);
    return `${comment(schema.description)}${key}${required.includes(name) ? '' : '?'}: ${typeOf(schema)};`;
  });
  return `{\n${fields.join('\n').replace(/^/gm, '  ')}\n}`;
}

function comment(text) {
  return text ? `/** ${text.replace(/\s+/g, ' ').replaceAll('*/', '* /')} */\n` : '';
}

/** What an answer holds may be left out of what is sent, and the other way round: a field without a value is null there. */
function completed(schemas) {
  const sent = new Set();
  const requests = Object.values(paths).flatMap((path) => Object.values(path)).map((operation) => operation.requestBody?.content?.['application/json']?.schema?.$ref);
  for (const ref of requests) if (ref) sent.add(ref.split('/').pop());
  const whole = (schema) => {
    if (schema.allOf) return { ...schema, allOf: schema.allOf.map(whole) };
    if (schema.oneOf) return { ...schema, oneOf: schema.oneOf.map(whole) };
    return schema.properties ? { ...schema, required: Object.keys(schema.properties) } : schema;
  };
  return Object.entries(schemas).map(([name, schema]) => [name, sent.has(name) ? schema : whole(schema)]);
}

const { paths, components } = JSON.parse(readFileSync(DESCRIPTION, 'utf8'));
const types = completed(components.schemas).map(([name, schema]) => {
  const type = typeOf(schema);
  const { description, ...rest } = schema;
  const isInterface = rest.properties && type.startsWith('{');
  return `${comment(description)}export ${isInterface ? `interface ${name} ${type}` : `type ${name} = ${type};`}\n`;
});
const text = `/** What the server answers, written by \`npm run types\` from openapi.json: edit neither by hand. */\n\n${types.join('\n')}`;

if (!process.argv.includes('--check')) writeFileSync(TYPES, text);
else if (readFileSync(TYPES, 'utf8') !== text) {
  process.stderr.write('src/api.ts is not what openapi.json describes: run `npm run types`\n');
  process.exit(1);
}
