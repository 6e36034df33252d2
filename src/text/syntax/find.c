/* Which syntax a chat template writes, told by what it cannot do without. The first row that fits decides: templates
 * that know several spellings (they often quote an older one) are told by the more particular one. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"
#include "text/template.h"

struct row {
  const char *marks[3]; /* all of them are in the template */
  const struct al_syntax *syntax;
};

static const struct row rows[] = {
  { { "<|channel|>" }, &al_syntax_harmony },
  { { "<TOOLCALL>", "<think>" }, &al_syntax_nemotron_think },
  { { "<TOOLCALL>" }, &al_syntax_nemotron },
  { { "<function=", "<parameter=", "<think>" }, &al_syntax_qwen3_coder_think },
  { { "<function=", "<parameter=" }, &al_syntax_qwen3_coder },
  { { "<arg_key>", "<arg_value>" }, &al_syntax_glm },
  { { "[TOOL_CALLS]", "[THINK]" }, &al_syntax_mistral_think },
  { { "[TOOL_CALLS]", "<think>" }, &al_syntax_mistral_tags },
  { { "[TOOL_CALLS]", "[ARGS]" }, &al_syntax_mistral_named },
  { { "[TOOL_CALLS]" }, &al_syntax_mistral },
  { { "<｜tool▁calls▁begin｜>", "```json" }, &al_syntax_deepseek },
  { { "<｜tool▁calls▁begin｜>" }, &al_syntax_deepseek_named },
  { { "<tool_call>", "</think>" }, &al_syntax_hermes_think },
  { { "<tool_call>" }, &al_syntax_hermes },
  { { "<|tool|>", "<|/tool|>" }, &al_syntax_phi4 },
  { { "<|tool_call|>", "<|/tool_call|>" }, &al_syntax_phi4 },
  { { "<|tool_call|>" }, &al_syntax_granite },
  { { "<|start_header_id|>", "tools" }, &al_syntax_llama3 },
  { { "<|python_tag|>" }, &al_syntax_llama3 },
  { { "[gMASK]", "<|observation|>" }, &al_syntax_glm4 },
  { { "[THINK]" }, &al_syntax_plain_think_brackets },
  { { "</think>" }, &al_syntax_plain_think },
  { { "<think>" }, &al_syntax_plain_think },
};

static bool fits(const struct row *row, const char *chat_template)
{
  for (size_t i = 0; i < AL_COUNT(row->marks) && row->marks[i] != nullptr; i++)
    if (strstr(chat_template, row->marks[i]) == nullptr)
      return false;
  return true;
}

const struct al_syntax *al_syntax_find(const char *chat_template)
{
  if (chat_template == nullptr || strcmp(chat_template, al_template_default()) == 0)
    return &al_syntax_hermes;
  for (size_t i = 0; i < AL_COUNT(rows); i++)
    if (fits(&rows[i], chat_template))
      return rows[i].syntax;
  return &al_syntax_plain;
}

const char *al_syntax_name(const struct al_syntax *syntax)
{
  return syntax->name;
}

bool al_syntax_has_tools(const struct al_syntax *syntax)
{
  return syntax->openers != nullptr;
}

static bool spells(const char *marker, struct al_str token)
{
  return marker != nullptr && memmem(marker, strlen(marker), token.data, token.size) != nullptr;
}

static bool any_spells(const char *const *markers, struct al_str token)
{
  for (; markers != nullptr && *markers != nullptr; markers++)
    if (spells(*markers, token))
      return true;
  return false;
}

bool al_syntax_keeps_control(const struct al_syntax *syntax, struct al_str token_text)
{
  if (token_text.size == 0)
    return false;
  const struct al_sx_tags *tags = syntax->tags;
  return spells(syntax->think_open, token_text) || spells(syntax->think_close, token_text) ||
         any_spells(syntax->openers, token_text) || any_spells(syntax->closers, token_text) ||
         any_spells(syntax->controls, token_text) ||
         (tags != nullptr && (spells(tags->param_open, token_text) || spells(tags->key_close, token_text) ||
                              spells(tags->value_open, token_text) || spells(tags->value_close, token_text)));
}
