#include "text/grammar.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct al_grammar *compile(const char *gbnf)
{
  struct al_grammar *grammar = nullptr;
  struct al_err err = {};
  if (al_grammar_compile(al_str(gbnf), &grammar, &err) != AL_OK)
    fail_msg("%s: %s", gbnf, err.message);
  return grammar;
}

/* 'y' a whole sentence, 'p' the beginning of one, 'n' neither. */
static char judge(struct al_grammar *grammar, struct al_str text)
{
  struct al_grammar_matcher *matcher = nullptr;
  assert_int_equal(al_grammar_matcher_new(grammar, nullptr, &matcher, nullptr), AL_OK);
  bool came = al_grammar_matcher_feed(matcher, text);
  char answer = !came ? 'n' : al_grammar_matcher_may_end(matcher) ? 'y' : 'p';
  al_grammar_matcher_free(matcher);
  return answer;
}

static void expect(const char *gbnf, const char *const *texts)
{
  struct al_grammar *grammar = compile(gbnf);
  for (; *texts != nullptr; texts++) {
    char answer = judge(grammar, al_str(*texts + 1));
    if (answer != **texts)
      fail_msg("%s: '%s' is %c", gbnf, *texts, answer);
  }
  al_grammar_unref(grammar);
}

static void matches_literals_and_alternatives(void **)
{
  expect("root ::= \"ab\" | \"ac\" | \"\"", (const char *[]){ "y", "pa", "yab", "yac", "nad", "nabc", "nb", nullptr });
  expect("root ::= a | b\na ::= \"x\" a | \"x\"\n# a comment\nb ::= \"y\" # another\n",
         (const char *[]){ "yx", "yxxxx", "yy", "nxy", nullptr });
  expect("root ::= \"\\x41\\u00e9\\U0001F600\\\"\\\\\\n\"",
         (const char *[]){ "yA\u00e9\U0001F600\"\\\n", "pA\xc3", "nB", nullptr });
  expect("root ::= (\n  \"a\"\n  | \"b\"\n) \"c\"\n", (const char *[]){ "yac", "ybc", "nab", nullptr });
  expect("root ::= \"a\"\n  | \"b\"\n", (const char *[]){ "ya", "yb", nullptr });
}

static void matches_classes(void **)
{
  expect("root ::= [a-c0-]+", (const char *[]){ "ya", "yab0-", "nd", "p", nullptr });
  expect("root ::= [^a\\n]", (const char *[]){ "yb", "na", "n\n", "y\u00e9", "y\U0010FFFF", "p\xf0\x9f", nullptr });
  expect("root ::= .",
         (const char *[]){ "ya", "y\u20ac", "n\xff", "n\xc0", "n\xed\xa0", "n\xf4\x90", "p\xf4\x8f", nullptr });
  expect("root ::= [\u00e0-\u20ac]",
         (const char *[]){ "y\u00e0", "y\u0fff", "y\u20ac", "n\u20ad", "n\u00df", nullptr });
  expect("root ::= [\\U00010000-\\U0003FFFF]",
         (const char *[]){ "y\U00010000", "y\U0002ABCD", "y\U0003FFFF", "n\U00040000", "n\uffff", nullptr });
}

static void counts_repetitions(void **)
{
  expect("root ::= \"a\"{3}", (const char *[]){ "paa", "yaaa", "naaaa", nullptr });
  expect("root ::= \"ab\"{2,}", (const char *[]){ "pab", "yabab", "yababab", "pababa", nullptr });
  expect("root ::= \"a\"{0,2} \"b\"", (const char *[]){ "yb", "yab", "yaab", "naaa", nullptr });
  expect("root ::= (\"a\" | \"aa\"){2,3}", (const char *[]){ "pa", "yaa", "yaaaaaa", "naaaaaaa", nullptr });
  expect("root ::= (x{2}){2} \"!\"\nx ::= [0-9]{1,2}",
         (const char *[]){ "p123", "y1234!", "y12345678!", "n123!", "n123456789", nullptr });
  expect("root ::= x (\",\" x){2,3}\nx ::= \"1\"", /* a call that returns to where a repetition begins */
         (const char *[]){ "p1", "p1,1", "y1,1,1", "y1,1,1,1", "n1,1,1,1,", nullptr });
  expect("root ::= \"a\"{0}", (const char *[]){ "y", "na", nullptr });
  expect("root ::= \"a\"*?", (const char *[]){ "y", "yaaa", nullptr });
}

static void counts_without_unrolling(void **)
{
  struct al_grammar *grammar = compile("root ::= \"<\" [a-z]{0,1000000} \">\"");
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_char(&text, '<');
  for (int i = 0; i < 20'000; i++)
    al_buf_char(&text, 'x');
  al_buf_char(&text, '>');
  assert_int_equal(judge(grammar, al_buf_view(&text)), 'y');
  al_grammar_unref(grammar);
}

static void ends_loops_of_nothing(void **)
{
  expect("root ::= (\"\"*)*", (const char *[]){ "y", "na", nullptr });
  expect("root ::= ((\"a\"?)*)+ \"b\"", (const char *[]){ "yb", "yaab", "nc", nullptr });
  expect("root ::= (\"a\"?){5,900000000} \"b\"", (const char *[]){ "yb", "yaab", nullptr });
  expect("root ::= (e e){3,7} \"b\"\ne ::= \"a\" | ",
         (const char *[]){ "yb", "yaaaaaaaaaaaaaab", "naaaaaaaaaaaaaaab", nullptr });
}

static void steps_over_empty_rules(void **)
{
  expect("root ::= ws \"x\" ws root ws | \"y\"\nws ::= \" \"*",
         (const char *[]){ "yy", "y xy", "yx y ", "y  x  xy  ", "p x", "nz", nullptr });
  expect("root ::= s a b\ns ::= a a\na ::= b b | \"\"\nb ::= \"1\" | \"\"",
         (const char *[]){ "y", "y1", "y1111111", "n11111111", nullptr });
}

static void recursion_is_a_stack(void **)
{
  expect("root ::= \"(\" root \")\" | \"x\"", (const char *[]){ "y((x))", "p((x)", "n((x)))", nullptr });
  struct al_grammar *grammar = compile("root ::= \"(\" root \")\" | \"x\"");
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  for (int i = 0; i < 10'000; i++)
    al_buf_char(&text, '(');
  assert_int_equal(judge(grammar, al_buf_view(&text)), 'n'); /* deeper than the limit */
  al_grammar_unref(grammar);
  grammar = compile("root ::= \"a\" root | \"\""); /* a loop, not a stack */
  memset(text.data, 'a', text.size);
  assert_int_equal(judge(grammar, al_buf_view(&text)), 'y');
  al_grammar_unref(grammar);
}

static void ambiguity_costs_little(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  al_buf_str(&gbnf, "root ::= r0\n"); /* 2^60 ways to call */
  for (int i = 0; i < 60; i++)
    al_buf_printf(&gbnf, "r%d ::= r%d | r%d \"x\"\n", i, i + 1, i + 1);
  al_buf_str(&gbnf, "r60 ::= \"a\"");
  expect(gbnf.data, (const char *[]){ "ya", "yaxxxxx", "nb", nullptr });
  struct al_grammar *grammar = compile("root ::= \"a\" root root | \"a\"");
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  for (int i = 0; i < 201; i++)
    al_buf_char(&text, 'a');
  assert_int_equal(judge(grammar, al_buf_view(&text)), 'y');
  al_grammar_unref(grammar);
}

static void refuses_with_a_place(void **)
{
  static const struct {
    const char *gbnf, *says;
  } cases[] = {
    { "", "no rule 'root'" },
    { "root ::= a", "line 1, column 10: the rule 'a' is not defined" },
    { "root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: the rule 'root' stands twice" },
    { "root ::= root \"a\" | \"a\"", "left-recursive" },
    { "root ::= ws root | \"a\"\nws ::= \" \"*", "left-recursive" },
    { "root ::= (b \"x\"){2,5} | \"a\"\nb ::= root", "left-recursive" },
    { "root ::= \"a\" root", "'root' can never come to an end" },
    { "root ::= \"a", "a literal without end" },
    { "root ::= [a", "a character class without end" },
    { "root ::= []", "admits nothing" },
    { "root ::= [z-a]", "comes before" },
    { "root ::= (\"a\"", "')' is expected" },
    { "root ::= \"a\")", "an element or the end of the line" },
    { "root ::= *", "nothing here that could repeat" },
    { "root ::= \"a\"{2,1}", "less than" },
    { "root ::= \"a\"{99999999999}", "repetitions" },
    { "root ::= \"a\"{,3}", "a number is expected" },
    { "root = \"a\"", "'::=' is expected" },
    { "root ::= \"\\q\"", "unknown escape" },
    { "root ::= \"\\ud800\"", "no character" },
    { "root ::= \"\xff\"", "not UTF-8" },
    { "root ::= <think>", "not supported" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_grammar *grammar = nullptr;
    struct al_err err = {};
    assert_int_equal(al_grammar_compile(al_str(cases[i].gbnf), &grammar, &err), AL_INVALID_REQUEST);
    if (strstr(err.message, cases[i].says) == nullptr)
      fail_msg("%s: %s", cases[i].gbnf, err.message);
  }
}

static void hostile_nesting_is_refused(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  al_buf_str(&gbnf, "root ::= ");
  for (int i = 0; i < 100'000; i++)
    al_buf_char(&gbnf, '(');
  struct al_grammar *grammar = nullptr;
  assert_int_equal(al_grammar_compile(al_buf_view(&gbnf), &grammar, nullptr), AL_INVALID_REQUEST);
  al_buf_clear(&gbnf);
  al_buf_str(&gbnf, "root ::= \"a\"");
  for (int i = 0; i < 100'000; i++)
    al_buf_char(&gbnf, '*');
  assert_int_equal(al_grammar_compile(al_buf_view(&gbnf), &grammar, nullptr), AL_INVALID_REQUEST);
}

static void failed_feed_does_not_move(void **)
{
  struct al_grammar *grammar = compile("root ::= \"abc\" \"d\"*");
  struct al_grammar_matcher *matcher = nullptr;
  assert_int_equal(al_grammar_matcher_new(grammar, nullptr, &matcher, nullptr), AL_OK);
  al_grammar_unref(grammar); /* the matcher holds it */
  assert_true(al_grammar_matcher_feed(matcher, al_str("ab")));
  assert_false(al_grammar_matcher_feed(matcher, al_str("x")));
  assert_false(al_grammar_matcher_feed(matcher, al_str("cx")));
  assert_true(al_grammar_matcher_feed(matcher, al_str("c")));
  assert_true(al_grammar_matcher_may_end(matcher));
  assert_false(al_grammar_matcher_must_end(matcher));
  al_grammar_matcher_free(matcher);
}

static void survives_every_failed_allocation(void **)
{
  static const char gbnf[] = "root ::= a{2,5} | [\u00e0-\u20ac]+ (root \"x\")?\na ::= \"a\" | \"b\" a \"c\"";
  bool whole = false;
  for (size_t n = 1; !whole; n++) {
    struct al_grammar *grammar = nullptr;
    struct al_grammar_matcher *matcher = nullptr;
    (void)al_alloc_fail_at(n);
    enum al_code code = al_grammar_compile(al_str(gbnf), &grammar, nullptr);
    if (code == AL_OK)
      code = al_grammar_matcher_new(grammar, nullptr, &matcher, nullptr);
    whole = code == AL_OK && al_grammar_matcher_feed(matcher, al_str("abacbac"));
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM);
    al_grammar_matcher_free(matcher);
    al_grammar_unref(grammar);
    assert_true(n < 10'000);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(matches_literals_and_alternatives),
    cmocka_unit_test(matches_classes),
    cmocka_unit_test(counts_repetitions),
    cmocka_unit_test(counts_without_unrolling),
    cmocka_unit_test(ends_loops_of_nothing),
    cmocka_unit_test(steps_over_empty_rules),
    cmocka_unit_test(recursion_is_a_stack),
    cmocka_unit_test(ambiguity_costs_little),
    cmocka_unit_test(refuses_with_a_place),
    cmocka_unit_test(hostile_nesting_is_refused),
    cmocka_unit_test(failed_feed_does_not_move),
    cmocka_unit_test(survives_every_failed_allocation),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
