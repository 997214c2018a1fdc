#include "base/log.h"

#include <atomic>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace base {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};
std::atomic<void (*)(std::string_view)> g_sink{nullptr};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Asynchronous, so that a slow terminal or pipe never holds up a shard; when its queue is full the oldest line is
// dropped.
spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    spdlog::init_thread_pool(8192, 1);
    auto made = spdlog::create_async_nb<spdlog::sinks::stderr_sink_mt>("posthorn");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    made->set_level(spdlog::level::debug);
    made->flush_on(spdlog::level::warn);
    spdlog::flush_every(std::chrono::seconds(1));
    return made;
  }();
  return *logger;
}

// How many bytes at the front of `text` are one character that may be printed as it is; 0: none, the byte is escaped.
// What is not UTF-8 (RFC 3629 §4: overlong forms and surrogates are not) and control characters of 7 and 8 bits.
std::size_t PrintableBytes(std::string_view text) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  const auto follow = [&](std::size_t first, std::size_t last) {
    for (std::size_t at = first; at <= last; ++at) {
      if (byte(at) < 0x80 || byte(at) > 0xbf) return false;
    }
    return true;
  };
  const unsigned lead = byte(0), second = byte(1);
  if (lead < 0x80) return lead >= ' ' && lead != 0x7f ? 1 : 0;
  if (lead == 0xc2) return second >= 0xa0 && second <= 0xbf ? 2 : 0;
  if (lead >= 0xc3 && lead <= 0xdf) return follow(1, 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool in_range = second >= (lead == 0xe0 ? 0xa0u : 0x80u) && second <= (lead == 0xed ? 0x9fu : 0xbfu);
    return in_range && follow(2, 2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool in_range = second >= (lead == 0xf0 ? 0x90u : 0x80u) && second <= (lead == 0xf4 ? 0x8fu : 0xbfu);
    return in_range && follow(2, 3) ? 4 : 0;
  }
  return 0;
}

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (std::size_t at = 0; at < value.size();) {
    const char c = value[at];
    const std::size_t bytes = PrintableBytes(value.substr(at));
    if (bytes == 0 || c == ' ' || c == '"' || c == '=' || c == '\\') return true;
    at += bytes;
  }
  return false;
}

// So that no client can forge a line, or tell a terminal what to do.
void AppendQuoted(std::string& out, std::string_view value) {
  out.push_back('"');
  while (!value.empty()) {
    const std::size_t bytes = PrintableBytes(value);
    if (bytes == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(value.front()));
      value.remove_prefix(1);
      continue;
    }
    if (value.front() == '"' || value.front() == '\\') out.push_back('\\');
    out.append(value.substr(0, bytes));
    value.remove_prefix(bytes);
  }
  out.push_back('"');
}

}  // namespace

std::string FormatLogLine(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (const LogField& field : fields) {
    line.push_back(' ');
    line.append(field.key());
    line.push_back('=');
    if (NeedsQuotes(field.value())) {
      AppendQuoted(line, field.value());
    } else {
      line.append(field.value());
    }
  }
  return line;
}

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) return;
  const std::string line = FormatLogLine(event, fields);
  if (auto* sink = g_sink.load(std::memory_order_acquire)) {
    sink(line);
    return;
  }
  Logger().log(ToSpdlog(level), line);
}

bool LogEnabled(LogLevel level) {
  return level >= g_level.load(std::memory_order_relaxed);
}
void SetLogLevel(LogLevel level) {
  g_level.store(level, std::memory_order_relaxed);
}
void SetLogSink(void (*sink)(std::string_view line)) {
  g_sink.store(sink, std::memory_order_release);
}

}  // namespace base
