/** A description has at least so many characters, when there are so many, and at most so many. */
const lengthMin = 200;
const lengthMax = 500;

/** The first paragraphs of a text, cut at a word; null when there is none. */
export function summaryOf(text: string): string | null {
  const paragraphs = text
    .split(/\n+/)
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '');
  let summary = '';
  for (const paragraph of paragraphs) {
    if (summary.length >= lengthMin) break;
    summary += summary === '' ? paragraph : `\n\n${paragraph}`;
  }
  if (summary.length > lengthMax) {
    const cut = summary.slice(0, lengthMax).toWellFormed();
    const end = cut.search(/\s\S*$/);
    summary = `${end > lengthMin ? cut.slice(0, end) : cut}…`;
  }
  return summary === '' ? null : summary;
}
