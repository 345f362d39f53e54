// What typing turns into something: "# " a heading, "- " a list, "[] " a task, "> " a quotation.

import { InputRule, inputRules, textblockTypeInputRule, wrappingInputRule } from 'prosemirror-inputrules'
import type { MarkType, Schema } from 'prosemirror-model'
import type { Plugin } from 'prosemirror-state'

export function rules(schema: Schema): Plugin {
  const { heading, bulletList, orderedList, taskList, blockquote, codeBlock, horizontalRule, paragraph } = schema.nodes
  const rule = new InputRule(/^---$/, (state, _match, start, end) => {
    const tr = state.tr.replaceRangeWith(start - 1, end, horizontalRule!.create())
    return tr.insert(tr.mapping.map(end), paragraph!.create())
  })
  return inputRules({
    rules: [
      textblockTypeInputRule(/^(#{1,6})\s$/, heading!, (match) => ({ level: match[1]!.length })),
      textblockTypeInputRule(/^```(\w*)\s$/, codeBlock!, (match) => ({ language: match[1] || null })),
      wrappingInputRule(/^\[( |x)?\]\s$/, taskList!),
      wrappingInputRule(/^[-*+]\s$/, bulletList!),
      wrappingInputRule(/^(\d+)\.\s$/, orderedList!, (match) => ({ start: Number(match[1]) })),
      wrappingInputRule(/^>\s$/, blockquote!),
      rule,
      marking(/\*\*([^*\s](?:[^*]*[^*\s])?)\*\*$/, schema.marks.bold!),
      marking(/(?<!\*)\*([^*\s](?:[^*]*[^*\s])?)\*$/, schema.marks.italic!),
      marking(/~~([^~]+)~~$/, schema.marks.strike!),
      marking(/`([^`]+)`$/, schema.marks.code!),
    ],
  })
}

function marking(pattern: RegExp, mark: MarkType): InputRule {
  return new InputRule(pattern, (state, match, start, end) => {
    const tr = state.tr.replaceWith(start, end, state.schema.text(match[1]!, [mark.create()]))
    return tr.removeStoredMark(mark)
  })
}
