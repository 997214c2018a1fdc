#include "mail/parameters.h"

#include <gtest/gtest.h>

namespace mail {
namespace {

struct Row {
  std::string_view label;
  std::string_view body;
  std::string_view value;
  Parameters parameters;
};

TEST(ParseParameterized, ReadsGoodAndBadHeaders) {
  const Row rows[] = {
      {"plain", " text/plain; charset=us-ascii", "text/plain", {{"charset", "us-ascii"}}},
      {"no parameters", "Text/Plain", "text/plain", {}},
      {"empty", "", "", {}},
      {"comments", "text/plain (a;b) ; (c) charset (d) = (e) x (f)", "text/plain", {{"charset", "x"}}},
      {"quotes", R"(a/b; n="x\"y;\\z"; m=2)", "a/b", {{"n", "x\"y;\\z"}, {"m", "2"}}},
      {"empty value", "a/b; n=\"\"; m=; o=1", "a/b", {{"n", ""}, {"m", ""}, {"o", "1"}}},
      {"semicolons in a row", "a/b;;; ;n=1;", "a/b", {{"n", "1"}}},
      {"no equals sign", "a/b; n; m=1", "a/b", {{"m", "1"}}},
      {"quote that does not end", "a/b; n=\"x;y", "a/b", {{"n", "x;y"}}},
      {"folded", "a/b;\r\n\tn=\"x\r\n y\"", "a/b", {{"n", "x y"}}},
      {"the first of a name counts", "a/b; n=1; N=2", "a/b", {{"n", "1"}}},
      {"order", "a/b; z=1; y=2; x=3", "a/b", {{"z", "1"}, {"y", "2"}, {"x", "3"}}},
      {"unquoted with specials", "a; filename=x(1)[2].pdf", "a", {{"filename", "x(1)[2].pdf"}}},
      {"Latin-1 in the raw", "a; n=\"\xe9\"", "a", {{"n", "\xc3\xa9"}}},
      {"UTF-8 in the raw", "a; n=\"\xc3\xa9\"", "a", {{"n", "\xc3\xa9"}}},
      {"RFC 2231 extended", "a; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun", "a", {{"title", "This is ***fun"}}},
      {"RFC 2231 charset", "a; n*=iso-8859-1''%e9t%E9", "a", {{"n", "\xc3\xa9t\xc3\xa9"}}},
      {"RFC 2231 without a charset", "a; n*=''%41", "a", {{"n", "A"}}},
      {"RFC 2231 without quotes", "a; n*=%41'", "a", {{"n", "A'"}}},
      {"RFC 2231 continuations", "a; u*1=\"ftp.example\"; u*0=\"URL=\"; u*2=/x", "a", {{"u", "URL=ftp.example/x"}}},
      {"RFC 2231 both", "a; t*0*=utf-8''%c3; t*1*=%a9; t*2=\"%20\"", "a", {{"t", "\xc3\xa9%20"}}},
      {"a gap ends it", "a; t*0=x; t*2=z", "a", {{"t", "x"}}},
      {"no section 0", "a; t*1=x; t=y", "a", {{"t", "y"}}},
      {"only no section 0", "a; t*1=x", "a", {}},
      {"a section twice", "a; t*0=x; t*1=y; t*1=z", "a", {{"t", "xy"}}},
      {"extended beats plain", "a; t=x; t*=utf-8''y", "a", {{"t", "y"}}},
      {"continued beats plain", "a; t=x; t*0=y", "a", {{"t", "y"}}},
      {"bad percent signs", "a; t*=utf-8''%zz%4%", "a", {{"t", "%zz%4%"}}},
      {"odd marks", "a; t*x=1; *=2; t**=3", "a", {{"t*x", "1"}, {"*", "2"}, {"t**", "3"}}},
      {"encoded line breaks vanish", "a; t*=utf-8''x%0d%0a%00y", "a", {{"t", "xy"}}},
      {"unknown charset", "a; t*=nonsense''%e9", "a", {{"t", "\xc3\xa9"}}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.label);
    const ParameterizedValue result = ParseParameterized(row.body, 100);
    EXPECT_EQ(result.value, row.value);
    EXPECT_EQ(result.parameters, row.parameters);
  }
}

TEST(ParseParameterized, StopsAtTheLimit) {
  std::string body = "a/b";
  for (int i = 0; i < 1000; ++i) body += "; n" + std::to_string(i) + "=1";
  EXPECT_EQ(ParseParameterized(body, 7).parameters.size(), 7u);
}

}  // namespace
}  // namespace mail
