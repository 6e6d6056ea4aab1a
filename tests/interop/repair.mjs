// Makes one of Microsoft's specifications fit for Prism. As they are, Prism refuses to start or, worse, takes every body.
//
//   node repair.mjs SPEC BASE OUT
//
// BASE is the path that the specification leaves to `servers`, which Prism does not look at: /openai or /openai/v1.
import { readFileSync, writeFileSync } from 'node:fs';
import { load } from 'js-yaml';

const [spec, base, out] = process.argv.slice(2);
const counts = { examples: 0, nullable: 0, required: 0, streams: 0 };

function repair(value) {
  if (Array.isArray(value)) return value.map(repair);
  if (value === null || typeof value !== 'object') return value;
  const made = {};
  for (const [name, inner] of Object.entries(value)) {
    // References to files that are not there.
    if (name === 'x-ms-examples') counts.examples += 1;
    else made[name] = repair(inner);
  }
  // The validator throws at `nullable` without `type`, and Prism takes a schema that does not compile for one that takes everything. With a
  // `type`, it reads the schemas that are combined beside it as if they did not take null: the `error` of an answer without one.
  const combined = ['allOf', 'anyOf', 'oneOf'].some((name) => name in made);
  if (made.nullable === true && (combined || !('type' in made))) {
    delete made.nullable;
    counts.nullable += 1;
    return { anyOf: [made, { enum: [null] }] };
  }
  // `required` names a property that the schema does not have: the `type` of a `json_schema`, which stands one level above.
  if (Array.isArray(made.required) && made.properties?.schema && !('type' in made.properties) && made.required.includes('type')) {
    made.required = made.required.filter((name) => name !== 'type');
    counts.required += 1;
  }
  return made;
}

const repaired = repair(load(readFileSync(spec, 'utf8')));
repaired.servers = [{ url: '/' }];
repaired.paths = Object.fromEntries(Object.entries(repaired.paths).map(([path, item]) => [base + path, item]));
for (const [path, item] of Object.entries(repaired.paths)) {
  const content = item.post?.responses?.['200']?.content;
  // A streamed answer is described as the object that it is not. It is let through unread: Prism cannot validate events.
  if (content && /\/(chat\/completions|responses)$/.test(path)) {
    content['text/event-stream'] = { schema: { type: 'string' } };
    counts.streams += 1;
  }
}
writeFileSync(out, JSON.stringify(repaired));
console.log(JSON.stringify(counts));
