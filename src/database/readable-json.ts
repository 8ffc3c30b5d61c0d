/**
 * SQL for JSON text as a `json` value whose members can be read. Matrix allows NUL characters, and
 * in old room versions halves of surrogate pairs, that PostgreSQL cannot turn into text: one of them
 * anywhere would make every reading of the whole fail. They become U+FFFD.
 * `text`: an SQL expression.
 */
export function readableJson(text: string): string {
  return String.raw`(case when strpos(${text}, '\u') > 0
    then regexp_replace(${text}, '\\u(0000|[dD][89a-fA-F]..)', '\\ufffd', 'g')
    else ${text} end)::json`;
}
