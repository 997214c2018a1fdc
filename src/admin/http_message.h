// HttpRequest and HttpAnswer: what of HTTP the pages see.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace admin {

struct HttpRequest {
  std::string method;
  std::string target;
  std::string host;  // The field Host as it came; empty with HTTP/1.0.
  bool is_from_loopback = false;
};

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type;
  std::string body;
  std::string fields{};  // More header fields, each with its line end.
};

HttpAnswer PlainTextAnswer(unsigned status, std::string_view text);

// The path of a target alone: without "http://host" (RFC 9112 §3.2.2) and without a query.
std::string_view PathOf(std::string_view target);

// The parameters of a query as a form sends them (application/x-www-form-urlencoded), in their order, at most
// `count_max`; what follows is left out. Broken escapes stand for themselves.
std::vector<std::pair<std::string, std::string>> ParametersOf(std::string_view target, std::size_t count_max);

// A text as such a parameter's value: letters, digits and "-._~" as they are, everything else escaped.
std::string EscapeParameter(std::string_view text);

}  // namespace admin
