// Cuts the bytes of a client into commands (RFC 3501 §2.2.1, literals §4.3, RFC 7888 non-synchronising literals).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace imap {

struct ReaderLimits {
  std::size_t line_bytes_max = 64 * 1024;      // A command without its literals.
  std::size_t literal_bytes_max = 64 * 1024;   // One literal that is not the message of an APPEND.
  std::size_t command_bytes_max = 256 * 1024;  // A command with its literals.
  std::uint64_t discard_bytes_max =
      64u << 20;  // Of a refused command or message; past it the connection must be closed.
};

// What CommandReader::Next() found.
struct NeedBytes {};         // All input is consumed; come back with more.
struct SendContinuation {};  // Send "+ " now: the client waits for it before it sends a literal.
struct CommandReady {
  std::string text;  // Without its line end; literals stand inside as "{5}\r\nhello".
};
struct LineReady {
  std::string text;  // The line asked for by ExpectLine(), without its line end.
};
struct AppendBegins {
  std::string head;  // The APPEND up to the literal of its message: "a1 APPEND INBOX (\Seen) ".
  std::uint64_t size_bytes = 0;
  bool synchronising = true;  // The client waits for "+ " before it sends the message.
};
struct AppendBytes {
  std::string_view bytes;  // A piece of the message, a view into the input.
};
struct AppendEnds {
  bool complete = true;  // False: the command went on after the message, and is to be answered BAD.
};
struct Refused {
  std::string tag;     // "*" when the command has no readable tag.
  std::string text;    // For BAD.
  bool close = false;  // The stream cannot be followed any further: say BYE and close.
};
using ReadEvent =
    std::variant<NeedBytes, SendContinuation, CommandReady, LineReady, AppendBegins, AppendBytes, AppendEnds, Refused>;

// A state machine fed with whatever the connection delivers. Lines may end in LF alone.
//
// Owner: the session. Thread: any one. Pure: no I/O. Holds at most `command_bytes_max` of memory; the message of an
// APPEND passes through and is never held.
class CommandReader {
 public:
  explicit CommandReader(const ReaderLimits& limits = {}) : limits_(limits) {}

  // Consumes bytes from the front of `input` until there is something to say. After AppendBegins the caller must call
  // AcceptAppend() or RefuseAppend() first.
  ReadEvent Next(std::string_view& input);

  // The message follows as AppendBytes, then AppendEnds. The caller sends "+ " first when the literal is synchronising.
  void AcceptAppend();
  // The message is not wanted: the client is told so with a tagged NO. A non-synchronising one comes nevertheless and
  // is dropped without an event, up to discard_bytes_max.
  void RefuseAppend();
  // While the message comes: the caller cannot keep the rest. It is dropped, and then AppendEnds reported as usual.
  void DropRestOfAppend() { drop_append_ = true; }

  // The next line is a response to a continuation request (AUTHENTICATE, IDLE): it comes as LineReady, braces and all.
  void ExpectLine() { expect_line_ = true; }

  // Between two commands.
  void SetLimits(const ReaderLimits& limits) { limits_ = limits; }

  // Forgets a command that was read in part.
  void Restart() { Reset(); }

  // The message of an APPEND is coming: read in large pieces.
  bool InAppend() const { return state_ == State::kAppendData; }
  // Nothing of a command has been read yet: the time-out between commands applies.
  bool AtCommandStart() const { return state_ == State::kLine && text_.empty(); }

 private:
  enum class State {
    kLine,            // Collecting a line.
    kLiteral,         // Collecting a literal into text_.
    kAppendDecision,  // AppendBegins was returned.
    kAppendData,      // Passing the message on.
    kAppendTail,      // What comes after the message up to the line end.
    kDiscardLine,     // Skipping the rest of a refused command; text_ holds the end of the line so far.
    kDiscardLiteral,  // Skipping a literal of it.
    kClosed,          // Refused with close: nothing more is read.
  };
  struct LiteralMark {
    std::uint64_t size = 0;
    bool synchronising = true;
    bool overflow = false;       // The number does not fit.
    std::size_t mark_bytes = 0;  // Length of "{5}" at the end of the line.
  };
  static bool FindLiteralMark(std::string_view line, LiteralMark* mark);

  ReadEvent ReadLine(std::string_view& input);
  ReadEvent EndOfLine();
  ReadEvent BeginLiteral(const LiteralMark& mark);
  ReadEvent PassAppend(std::string_view& input);
  ReadEvent PassAppendTail(std::string_view& input);
  void KeepEndOfLine(std::string_view piece);
  ReadEvent DiscardLine(std::string_view& input);
  ReadEvent EndOfDiscardedLine();
  ReadEvent ReadLiteral(std::string_view& input);
  ReadEvent DiscardLiteral(std::string_view& input);
  // From now on skips the command to its end, and then reports Refused with `text`.
  void StartDiscard(std::string text);
  bool SpendDiscard(std::size_t bytes);
  ReadEvent Close(std::string text);
  ReadEvent FinishRefused();
  bool IsAppendMessage() const;
  void Reset();

  ReaderLimits limits_;
  State state_ = State::kLine;
  bool expect_line_ = false;
  bool drop_append_ = false;
  bool append_announced_ = false;  // AppendEnds is owed to the caller.
  bool append_tail_empty_ = true;
  bool append_synchronising_ = true;
  std::string text_;                     // The command so far.
  std::size_t literal_total_bytes_ = 0;  // Of text_, how much is literals with their marks.
  std::size_t line_start_ = 0;           // Where in text_ the current line begins: after the last literal.
  std::uint64_t remaining_ = 0;          // Of the current literal.
  std::uint64_t discarded_ = 0;
  std::string refused_tag_;
  std::string refused_text_;
};

// The tag a command begins with, or "*" when there is none that could be sent back.
std::string TagOf(std::string_view command);

}  // namespace imap
