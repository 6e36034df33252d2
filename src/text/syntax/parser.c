/* The outer form that all syntaxes but harmony share: reasoning, then text in which markers open calls. Every step
 * decides on what no longer text could change, so that it does not matter how the text is cut into pieces. */
#include "text/syntax/parser.h"

#include "base/alloc.h"
#include "text/syntax/match.h"

/* A step consumed something or changed the state; or it needs more text. */
enum progress { WAITS, GOES_ON };

static void consume(struct al_syntax_parser *p, size_t n)
{
  p->at += n;
}

static enum progress enter(struct al_syntax_parser *p, enum al_sx_state state)
{
  p->state = state;
  return GOES_ON;
}

/* --- reasoning --------------------------------------------------------------------------------------------------- */

static enum progress begin_reasoning(struct al_syntax_parser *p, struct al_str view, size_t marker_end)
{
  if (p->keeps_reasoning)
    al_sx_text(p, al_str_n(view.data, marker_end));
  consume(p, marker_end);
  p->trims_reasoning = true;
  return enter(p, AL_SX_REASONING);
}

static enum progress step_start(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  size_t n_space = al_sx_leading_space(view);
  if (p->syntax->think_open == nullptr || n_space > AL_SX_MAX_SPACE)
    return enter(p, AL_SX_TEXT);
  switch (al_sx_match(al_sx_from(view, n_space), p->syntax->think_open)) {
  case AL_SX_FULL: return begin_reasoning(p, view, n_space + strlen(p->syntax->think_open));
  case AL_SX_PARTIAL: return is_last ? enter(p, AL_SX_TEXT) : WAITS;
  case AL_SX_NONE: break;
  }
  return enter(p, AL_SX_TEXT);
}

/* A model that opens what the prompt has opened already. */
static enum progress skip_reopened(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  size_t n_space = al_sx_leading_space(view);
  enum al_sx_match match = al_sx_match(al_sx_from(view, n_space), p->syntax->think_open);
  if (match == AL_SX_PARTIAL && !is_last) {
    consume(p, n_space);
    return WAITS;
  }
  consume(p, match == AL_SX_FULL ? n_space + strlen(p->syntax->think_open) : n_space);
  p->trims_reasoning = match == AL_SX_FULL;
  return GOES_ON;
}

static enum progress end_reasoning(struct al_syntax_parser *p, struct al_str view, size_t at, size_t marker_size)
{
  if (p->keeps_reasoning)
    al_sx_text(p, al_str_n(view.data, at + marker_size));
  else
    al_sx_reasoning(p, al_str_n(view.data, at - al_sx_trailing_space(al_str_n(view.data, at))));
  consume(p, at + marker_size);
  return enter(p, p->keeps_reasoning ? AL_SX_TEXT : AL_SX_ANSWER);
}

static enum progress step_reasoning(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  if (p->trims_reasoning && !p->keeps_reasoning)
    return skip_reopened(p, view, is_last);
  const char *const close[] = { p->syntax->think_close, nullptr };
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  size_t at = al_sx_find(view, close, &match, &size);
  if (match == AL_SX_FULL)
    return end_reasoning(p, view, at, size);
  struct al_str out = al_str_n(view.data, is_last ? view.size : at);
  if (!p->keeps_reasoning)
    out.size -= al_sx_trailing_space(out);
  al_sx_reasoning(p, out);
  consume(p, is_last ? view.size : out.size);
  return WAITS;
}

static enum progress step_answer(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  consume(p, al_sx_leading_space(view));
  view = al_sx_from(view, al_sx_leading_space(view));
  enum al_sx_match match = al_sx_match(view, p->syntax->think_open);
  if (match == AL_SX_FULL)
    return begin_reasoning(p, view, strlen(p->syntax->think_open));
  return match == AL_SX_PARTIAL && !is_last ? WAITS : enter(p, AL_SX_TEXT);
}

/* --- text and calls ---------------------------------------------------------------------------------------------- */

static enum progress try_bare(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  size_t n_space = al_sx_leading_space(view);
  if (n_space == view.size && n_space <= AL_SX_MAX_SPACE && !is_last)
    return WAITS;
  if (n_space < view.size && n_space <= AL_SX_MAX_SPACE)
    return enter(p, AL_SX_HEADER);
  p->may_open_bare = false;
  return GOES_ON;
}

static enum progress step_text(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  if (p->tools == nullptr || p->syntax->openers == nullptr) {
    al_sx_text(p, view);
    consume(p, view.size);
    return WAITS;
  }
  if (p->may_open_bare)
    return try_bare(p, view, is_last);
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  struct al_str out = al_str_n(view.data, al_sx_find(view, p->syntax->openers, &match, &size));
  if (is_last && match != AL_SX_FULL)
    out.size = view.size;
  else
    out.size -= al_sx_trailing_space(out);
  al_sx_text(p, out);
  consume(p, out.size);
  return match == AL_SX_FULL ? enter(p, AL_SX_HEADER) : WAITS;
}

/* What looked like a call is none: its opener becomes text, and what follows is looked at anew. */
static enum progress not_a_call(struct al_syntax_parser *p, struct al_str view, size_t n_space)
{
  size_t size = 0;
  if (p->in_list)
    p->in_list = false;
  else if (al_sx_match_any(al_sx_from(view, n_space), p->syntax->openers, &size) == AL_SX_FULL)
    size += n_space;
  p->may_open_bare = false;
  al_sx_text(p, al_str_n(view.data, size));
  consume(p, size);
  return enter(p, AL_SX_TEXT);
}

static enum progress step_header(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  size_t n_space = al_sx_leading_space(view);
  struct al_str head = al_sx_from(view, n_space);
  bool is_long = head.size >= AL_SX_MAX_HEADER;
  head.size = al_min_size(head.size, AL_SX_MAX_HEADER);
  size_t used = 0;
  switch (p->syntax->begin(p, head, is_last && !is_long, &used)) {
  case AL_SX_WAIT: return is_last || is_long ? not_a_call(p, view, n_space) : WAITS;
  case AL_SX_NO: return not_a_call(p, view, n_space);
  case AL_SX_YES: break;
  }
  consume(p, n_space + used);
  return GOES_ON;
}

static enum progress step_body(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  size_t used = 0;
  enum al_sx_verdict verdict = p->syntax->body(p, view, is_last, &used);
  consume(p, used);
  return verdict == AL_SX_WAIT ? WAITS : GOES_ON;
}

/* Behind the arguments, in the object around them: its end, or more members to skip. */
static enum progress step_wrapper(struct al_syntax_parser *p, struct al_str view)
{
  if (p->skips) {
    bool ended = false;
    consume(p, al_sx_scan_go(&p->scan, view, &ended));
    p->skips = p->in_wrapper = !ended;
    return GOES_ON;
  }
  p->skips = view.data[0] == ',';
  p->in_wrapper = p->skips;
  p->scan = (struct al_sx_scan){ .depth = 1 };
  consume(p, view.data[0] == '}' || view.data[0] == ',' ? 1 : 0);
  return GOES_ON;
}

static enum progress step_list(struct al_syntax_parser *p, struct al_str view)
{
  if (view.data[0] == ',')
    p->state = AL_SX_HEADER;
  else
    p->in_list = false;
  consume(p, view.data[0] == ',' || view.data[0] == ']' ? 1 : 0);
  return GOES_ON;
}

static enum progress step_after(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  if (al_syntax_parser_is_done(p))
    return enter(p, AL_SX_DONE);
  size_t n_space = p->skips ? 0 : al_sx_leading_space(view);
  consume(p, n_space);
  view = al_sx_from(view, n_space);
  if (view.size == 0)
    return WAITS;
  if (p->in_wrapper)
    return step_wrapper(p, view);
  if (p->in_list)
    return step_list(p, view);
  size_t size = 0;
  enum al_sx_match closer = al_sx_match_any(view, p->syntax->closers, &size);
  if (closer == AL_SX_FULL) {
    consume(p, size);
    return GOES_ON;
  }
  enum al_sx_match opener = al_sx_match_any(view, p->syntax->openers, &size);
  if (opener == AL_SX_FULL)
    return enter(p, AL_SX_HEADER);
  if (!is_last && (closer == AL_SX_PARTIAL || opener == AL_SX_PARTIAL))
    return WAITS;
  p->may_open_bare = p->syntax->opens_bare;
  return enter(p, AL_SX_TEXT);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static enum progress step(struct al_syntax_parser *p, struct al_str view, bool is_last)
{
  if (p->syntax->step != nullptr && p->state != AL_SX_DONE) {
    size_t used = 0;
    enum al_sx_verdict verdict = p->syntax->step(p, view, is_last, &used);
    consume(p, used);
    return verdict == AL_SX_WAIT ? WAITS : GOES_ON;
  }
  switch (p->state) {
  case AL_SX_START: return step_start(p, view, is_last);
  case AL_SX_REASONING: return step_reasoning(p, view, is_last);
  case AL_SX_ANSWER: return step_answer(p, view, is_last);
  case AL_SX_TEXT: return step_text(p, view, is_last);
  case AL_SX_HEADER: return step_header(p, view, is_last);
  case AL_SX_BODY: return step_body(p, view, is_last);
  case AL_SX_AFTER: return step_after(p, view, is_last);
  case AL_SX_DONE: break;
  }
  consume(p, view.size);
  return WAITS;
}

static enum al_code run(struct al_syntax_parser *p, bool is_last, struct al_err *err)
{
  while (p->at < p->pending.size) {
    struct al_str view = al_str_n(p->pending.data + p->at, p->pending.size - p->at);
    if (step(p, view, is_last) == WAITS)
      break;
  }
  al_buf_consume(&p->pending, p->at);
  p->at = 0;
  AL_TRY(al_buf_check(&p->pending, err));
  AL_TRY(al_buf_check(&p->arguments, err));
  AL_TRY(al_buf_check(&p->function, err));
  AL_TRY(al_buf_check(&p->value, err));
  return al_buf_check(&p->scratch, err);
}

AL_DEFINE_CLEANUP(struct al_syntax_parser, al_syntax_parser_free)

static enum al_code copy_tools(struct al_syntax_parser *p, const struct al_syntax_request *request, struct al_err *err)
{
  if (request->choice == AL_TOOL_NONE || al_json_count(request->tools) == 0)
    return AL_OK;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_json_print(&text, request->tools);
  AL_TRY(al_buf_check(&text, err));
  return al_json_parse(al_buf_view(&text), &p->tools, err);
}

enum al_code al_syntax_parser_new(const struct al_syntax *syntax, const struct al_syntax_request *request,
                                  al_syntax_event_fn *on_event, void *user, struct al_syntax_parser **parser,
                                  struct al_err *err)
{
  AL_CLEANUP(al_syntax_parser_free_p) struct al_syntax_parser *p = al_calloc(1, sizeof *p);
  if (p == nullptr)
    return al_fail_oom(err, sizeof *p);
  p->syntax = syntax;
  p->on_event = on_event;
  p->user = user;
  p->is_parallel = request->parallel;
  p->keeps_reasoning = request->keeps_reasoning;
  p->may_open_bare = syntax->opens_bare;
  AL_TRY(copy_tools(p, request, err));
  struct al_str opened = al_sx_prompt_opened(syntax, request->prompt_tail);
  p->trims_reasoning = opened.size > 0;
  if (syntax->step != nullptr)
    al_buf_add(&p->pending, opened.data, opened.size);
  else if (opened.size > 0)
    p->state = AL_SX_REASONING;
  AL_TRY(al_buf_check(&p->pending, err));
  *parser = AL_TAKE(p);
  return AL_OK;
}

void al_syntax_parser_free(struct al_syntax_parser *parser)
{
  if (parser == nullptr)
    return;
  al_json_doc_free(parser->tools);
  al_buf_done(&parser->pending);
  al_buf_done(&parser->arguments);
  al_buf_done(&parser->function);
  al_buf_done(&parser->value);
  al_buf_done(&parser->scratch);
  al_free(parser);
}

enum al_code al_syntax_parser_feed(struct al_syntax_parser *parser, struct al_str text, struct al_err *err)
{
  al_buf_add(&parser->pending, text.data, text.size);
  return run(parser, false, err);
}

enum al_code al_syntax_parser_finish(struct al_syntax_parser *parser, struct al_err *err)
{
  enum al_code code = run(parser, true, err);
  while (code == AL_OK && al_sx_tagged_recover(parser))
    code = run(parser, true, err);
  if (parser->in_call)
    al_sx_call_break(parser);
  parser->state = AL_SX_DONE;
  return code;
}

bool al_syntax_parser_in_reasoning(const struct al_syntax_parser *parser)
{
  return parser->syntax->step != nullptr ? al_sx_harmony_in_reasoning(parser) : parser->state == AL_SX_REASONING;
}

bool al_syntax_parser_is_done(const struct al_syntax_parser *parser)
{
  return parser->has_whole_call && !parser->is_parallel;
}
