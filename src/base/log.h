// The structured log: one line an event, `key=value` fields (logfmt), to standard error.
// A line names what happened in one word, then its fields; an error's line says what the operator can do.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// One field. Numbers are printed as they are, text is quoted when it has a space, a quote, '=' or a control byte.
class LogField {
 public:
  LogField(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  LogField(std::string_view key, const char* value) : key_(key), value_(value) {}
  LogField(std::string_view key, const std::string& value) : key_(key), value_(value) {}
  template <std::integral T>
  LogField(std::string_view key, T value) : key_(key), value_(fmt::to_string(value)) {}
  LogField(std::string_view key, double value) : key_(key), value_(fmt::format("{:.6g}", value)) {}

  std::string_view key() const { return key_; }
  const std::string& value() const { return value_; }

 private:
  std::string_view key_;
  std::string value_;
};

// Thread: any. Writes `time level event key=value ...`. `event` is a fixed word such as "mail_accepted".
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);
inline void LogDebug(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, event, fields);
}
inline void LogInfo(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarning(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, event, fields);
}
inline void LogError(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}

// Whether a line of this level would be written: guards fields that are costly to make.
bool LogEnabled(LogLevel level);
void SetLogLevel(LogLevel level);
// Hands each finished line to `sink` instead of standard error; nullptr restores it. For tests; call before other
// threads log.
void SetLogSink(void (*sink)(std::string_view line));

// Exposed for its test: one line without time and level.
std::string FormatLogLine(std::string_view event, std::initializer_list<LogField> fields);

}  // namespace base
