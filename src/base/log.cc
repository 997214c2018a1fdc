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

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (const unsigned char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

// Control bytes are escaped, so that no client can forge a line.
void AppendQuoted(std::string& out, std::string_view value) {
  out.push_back('"');
  for (const unsigned char c : value) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c < ' ' || c == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c);
    } else {
      out.push_back(static_cast<char>(c));
    }
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
