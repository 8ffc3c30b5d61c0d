import { sections } from './sections.ts';
import type { Option, Options } from './option.ts';

/** The default, as the reference writes it. */
function defaultOf({ defaultText, byDefault }: Option<unknown>): string {
  return (
    defaultText ?? `\`${typeof byDefault === 'string' ? byDefault : JSON.stringify(byDefault)}\``
  );
}

const cell = (text: string) => text.replaceAll('|', '\\|');

/** Rows of a table; members of members follow with their path. */
function memberRows(members: Options, prefix: string): string[] {
  return Object.entries(members)
    .filter(([, { isInert }]) => !isInert)
    .flatMap(([name, member]) => {
      const path = `${prefix}${name}`;
      if (member.members) return memberRows(member.members, `${path}.`);
      const columns = [`\`${path}\``, member.doc, member.kind.allowed, defaultOf(member)];
      return [`| ${columns.map(cell).join(' | ')} |`];
    });
}

function optionText(name: string, option: Option<unknown>): string {
  const parts = [`### \`${name}\``, option.doc];
  if (option.members) {
    if (option.defaultText) parts.push(`Default: ${option.defaultText}.`);
    const head = '| member | | allowed | default |\n|---|---|---|---|';
    parts.push([head, ...memberRows(option.members, '')].join('\n'));
  } else parts.push(`Allowed: ${option.kind.allowed}. Default: ${defaultOf(option)}.`);
  if (option.example) {
    const gap = option.example.startsWith('\n') ? '' : ' ';
    parts.push(`\`\`\`yaml\n${name}:${gap}${option.example}\n\`\`\``);
  }
  return parts.join('\n\n');
}

/** Options without effect, with those inside of others. */
function inertRows(options: Options, prefix = ''): string[] {
  return Object.entries(options).flatMap(([name, { isInert, doc, members }]) => {
    if (isInert) return [`| \`${prefix}${name}\` | ${cell(doc)} |`];
    return members ? inertRows(members, `${prefix}${name}.`) : [];
  });
}

const introduction = `# Configuration

<!-- Written by \`npx lattice config-reference\` out of the declarations in src/config. -->

\`lattice serve --config-path FILE\` may be given many times, and may name a folder, whose \`.yaml\`
files are read by name. Of an option that stands in several files the last one counts, whole. Option
names are Synapse's. \`lattice check-config FILE\` says what is wrong, as the start does: an unknown
option is warned about; a wrong value is an error with file, line and what is allowed, and the exit
status is 2. Changes take effect at the next start.

Durations are \`30s\`, \`5m\`, \`12h\`, \`7d\`, \`4w\`, \`1y\`, or a number of milliseconds.`;

const inertIntroduction = `## Accepted, without effect yet

Existing files may have these; the start names those that are set.

| option | what it is for |
|---|---|`;

/** The reference of all options, in Markdown. */
export function configReference(): string {
  const parts = [introduction];
  for (const { title, doc, options } of sections) {
    const active = Object.entries(options).filter(([, { isInert }]) => !isInert);
    if (active.length === 0) continue;
    parts.push(`## ${title}`, doc, ...active.map(([name, option]) => optionText(name, option)));
  }
  const rows = sections.flatMap(({ options }) => inertRows(options)).toSorted();
  parts.push([inertIntroduction, ...rows].join('\n'));
  return `${parts.join('\n\n')}\n`;
}
