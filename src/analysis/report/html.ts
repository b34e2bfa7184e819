import { escapeHtml } from '../../base/escape';
import type { Analysis } from '../analysis';
import type { ReportBlock, ReportTable } from './blocks';
import { type ReportParts, reportContent } from './content';
import { chartSvg, legendOf, lineStyles } from './svg';

/** The whole report as one HTML page: no script, nothing loaded, every text of the trace escaped. */
export function htmlReport(analysis: Analysis, parts: ReportParts): string {
  const { title, lead, tone, sections } = reportContent(analysis, parts);
  const body = sections.map(
    (section) =>
      `<section>\n<h2>${escapeHtml(section.title)}</h2>\n${section.blocks.map(block).join('\n')}\n</section>`,
  );
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${styleSheet}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p class="lead ${tone}">${escapeHtml(lead)}</p>
${body.join('\n')}
<footer>Made by SWIOTLB Lens from the trace alone.</footer>
</body>
</html>
`;
}

function block(content: ReportBlock): string {
  switch (content.kind) {
    case 'text':
      return `<p>${escapeHtml(content.text)}</p>`;
    case 'list':
      return `<ul>${content.items.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</ul>`;
    case 'commands':
      return `<pre>${content.lines.map(escapeHtml).join('\n')}</pre>`;
    case 'table':
      return table(content);
    case 'chart': {
      const legend = legendOf(content.chart).map(
        (name, index) =>
          `<li><svg viewBox="0 0 28 8" aria-hidden="true"><path class="line l${index % lineStyles}" d="M0 4H28"/></svg>${escapeHtml(name)}</li>`,
      );
      return (
        `<figure><figcaption>${escapeHtml(content.chart.title)}` +
        `${legend.length === 0 ? '' : `<ul class="legend">${legend.join('')}</ul>`}</figcaption>` +
        `${chartSvg(content.chart)}</figure>`
      );
    }
  }
}

function table({ caption, header, rows }: ReportTable): string {
  const numeric = header.map((name) => name.startsWith('>'));
  const mark = (column: number): string => (numeric[column] === true ? ' class="n"' : '');
  const head = header
    .map((name, column) => `<th scope="col"${mark(column)}>${escapeHtml(name.replace(/^>/, ''))}</th>`)
    .join('');
  const body = rows.map(
    (cells) => `<tr>${cells.map((cell, column) => `<td${mark(column)}>${escapeHtml(cell)}</td>`).join('')}</tr>`,
  );
  return (
    `<div class="wide"><table><caption>${escapeHtml(caption)}</caption>` +
    `<thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
  );
}

/** Lines differ in dash as well as in colour. */
const styleSheet = `
:root{--ink:#1f2328;--dim:#59636e;--paper:#fff;--rule:#d1d9e0;--stripe:#f6f8fa;--bad:#b3261e;--good:#1a7f37;
--c0:#0072b2;--c1:#c44e00;--c2:#00805a;--c3:#a8558a;--c4:#a06a00;--c5:#4a5fc1}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b1;--paper:#15191f;--rule:#3a424c;--stripe:#1c2229;
--bad:#ff8a80;--good:#56d364;--c0:#58b0f0;--c1:#f59454;--c2:#45c79a;--c3:#e08fc0;--c4:#e3b341;--c5:#9aa8ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px 20px 48px;max-width:1120px;color:var(--ink);background:var(--paper);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.5rem;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:32px 0 8px;padding-top:12px;border-top:1px solid var(--rule)}
p{margin:8px 0;max-width:80ch}
.lead{font-size:1.1rem;font-weight:600}.bad{color:var(--bad)}.good{color:var(--good)}
ul{margin:8px 0;padding-left:22px}li{margin:4px 0;max-width:90ch}
pre{padding:10px 12px;background:var(--stripe);border:1px solid var(--rule);overflow:auto;white-space:pre-wrap}
.wide{overflow-x:auto;margin:12px 0}
table{border-collapse:collapse;font-size:.87rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--dim);padding:0 0 4px}
th,td{padding:4px 10px 4px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
th{font-weight:600;color:var(--dim)}
td{min-width:3.5em;max-width:62ch}
th.n,td.n{text-align:right;white-space:nowrap}
figure{margin:12px 0}figcaption{color:var(--dim);font-size:.87rem}
figure>svg{width:100%;height:auto;display:block}
svg text{fill:var(--dim);font-size:12px}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;padding:0;margin:4px 0;color:var(--ink)}
.legend svg{width:28px;height:8px;margin-right:6px;vertical-align:middle}
.grid{stroke:var(--rule);stroke-width:1;fill:none}
.line{fill:none;stroke-width:1.8}.capacity{fill:none;stroke:var(--dim);stroke-width:1;stroke-dasharray:4 4}
.area{stroke-width:1;stroke-linejoin:bevel;fill-opacity:.25}
svg .name{fill:var(--ink);font-weight:600}
.mark{fill:none;stroke:var(--bad);stroke-width:1.6}.dot{stroke:none}
.ring{fill:none;stroke:var(--ink);stroke-width:1.6}
.l0{stroke:var(--c0)}.l1{stroke:var(--c1)}.l2{stroke:var(--c2)}.l3{stroke:var(--c3)}.l4{stroke:var(--c4)}.l5{stroke:var(--c5)}
.line.l1{stroke-dasharray:9 3}.line.l2{stroke-dasharray:4 3}.line.l3{stroke-dasharray:12 3 3 3}
.line.l4{stroke-dasharray:2 2}.line.l5{stroke-dasharray:14 4 2 4 2 4}
.dot.l0,.area.l0{fill:var(--c0)}.dot.l1,.area.l1{fill:var(--c1)}.dot.l2,.area.l2{fill:var(--c2)}.dot.l3,.area.l3{fill:var(--c3)}.dot.l4,.area.l4{fill:var(--c4)}.dot.l5,.area.l5{fill:var(--c5)}
footer{margin-top:40px;color:var(--dim);font-size:.87rem}
@media print{body{max-width:none;padding:0}section{break-inside:auto}figure,tr{break-inside:avoid}.wide{overflow:visible}}
`;
