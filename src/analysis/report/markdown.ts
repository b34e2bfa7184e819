import { escapeMarkdown, visible } from '../../base/escape';
import type { Analysis } from '../analysis';
import type { ReportBlock, ReportTable } from './blocks';
import { type ReportParts, reportContent } from './content';

/** The whole report as Markdown, to paste into an issue: the tables behind the charts instead of the charts. */
export function markdownReport(analysis: Analysis, parts: ReportParts): string {
  const { title, lead, sections } = reportContent(analysis, parts);
  const body = sections.map(({ title: name, blocks }) =>
    [`## ${name}`, ...blocks.map(block).filter((text) => text !== '')].join('\n\n'),
  );
  return `${[`# ${inline(title)}`, `**${inline(lead)}**`, ...body].join('\n\n')}\n`;
}

function block(content: ReportBlock): string {
  switch (content.kind) {
    case 'text':
      return inline(content.text);
    case 'list':
      return content.items.map((item) => `- ${inline(item)}`).join('\n');
    case 'commands':
      return content.lines.map((line) => `    ${visible(line).replace(/[\r\n]+/g, ' ')}`).join('\n');
    case 'table':
      return table(content);
    case 'chart':
      return '';
  }
}

function table({ caption, header, rows }: ReportTable): string {
  const names = header.map((name) => inline(name.replace(/^>/, '')));
  const rule = header.map((name) => (name.startsWith('>') ? '---:' : '---'));
  const lines = [names, rule, ...rows.map((cells) => cells.map(inline))].map((cells) => `| ${cells.join(' | ')} |`);
  return `${inline(caption)}:\n\n${lines.join('\n')}`;
}

/** A cell or an item ends at a line break, so there is none. */
function inline(text: string): string {
  return escapeMarkdown(visible(text).replace(/[\r\n]+/g, ' '));
}
