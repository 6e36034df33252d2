/* Renders templates for test_templates.py: JSON lines {"template": ..., "vars": {...}} on standard input,
 * {"ok": true, "text": ...} or {"ok": false, "code": ..., "error": ...} on standard output. With --time N it renders
 * each line N times and adds "us", the microseconds of one rendering. */
#include "base/clock.h"
#include "text/template.h"

#include <stdio.h>
#include <stdlib.h>

static enum al_code render_times(const struct al_template *template, const struct al_json *vars, long times,
                                 struct al_buf *text, struct al_err *err)
{
  struct al_template_vars given = { &vars, 1 };
  for (long i = 0; i < times; i++) {
    al_buf_clear(text);
    AL_TRY(al_template_render(template, &given, nullptr, text, err));
  }
  return AL_OK;
}

static enum al_code render_line(struct al_str line, long times, struct al_buf *text, double *us, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(al_json_parse(line, &doc, err));
  const struct al_json *root = al_json_root(doc);
  struct al_template *template = nullptr;
  AL_TRY(al_template_compile(al_json_str(al_json_get(root, "template")), &template, err));
  int64_t start = al_now_ns();
  enum al_code code = render_times(template, al_json_get(root, "vars"), times, text, err);
  *us = (double)(al_now_ns() - start) / 1000.0 / (double)times;
  al_template_free(template);
  return code;
}

static void answer(struct al_str line, long times)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_err err = {};
  double us = 0;
  enum al_code code = render_line(line, times, &text, &us, &err);
  struct al_json_writer w = al_json_writer(&out);
  al_jw_object(&w);
  al_jw_kv_bool(&w, "ok", code == AL_OK);
  if (code == AL_OK) {
    al_jw_kv_str_n(&w, "text", al_buf_view(&text));
  } else {
    al_jw_kv_str(&w, "code", al_code_name(code));
    al_jw_kv_str(&w, "error", err.message);
  }
  al_jw_kv_real(&w, "us", us);
  al_jw_end(&w);
  (void)printf("%s\n", out.data);
  (void)fflush(stdout);
}

int main(int argc, char **argv)
{
  long times = argc == 3 && strcmp(argv[1], "--time") == 0 ? strtol(argv[2], nullptr, 10) : 1;
  char *line = nullptr;
  size_t capacity = 0;
  for (ssize_t size; (size = getline(&line, &capacity, stdin)) > 0;)
    answer(al_str_n(line, (size_t)size), times);
  free(line);
  return 0;
}
