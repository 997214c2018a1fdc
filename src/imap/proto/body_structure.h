// ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 §7.4.2).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mail/envelope_fields.h"
#include "mail/mime.h"

namespace imap {

void AppendEnvelope(std::string& out, const mail::EnvelopeFields& envelope);

// The header of an enclosed message as ENVELOPE needs it: asked for once for each message/rfc822 part.
using EnvelopeSource = std::function<mail::EnvelopeFields(const mail::MimePart& message)>;

// `extended`: with the extension data, as BODYSTRUCTURE has it and BODY has not.
void AppendBodyStructure(std::string& out, const mail::MimePart& part, bool extended,
                         const EnvelopeSource& envelope_of);

// The same step by step, for a caller that must not compute for long in one go. Borrows the structure.
class BodyStructureWriter {
 public:
  BodyStructureWriter(const mail::MimePart* root, bool extended, EnvelopeSource envelope_of);

  // Appends the beginning or the end of the next part. False: that was the last.
  bool Step(std::string& out);

 private:
  struct Open {
    const mail::MimePart* part = nullptr;
    std::size_t children_shown = 0;
  };

  bool extended_;
  EnvelopeSource envelope_of_;
  std::vector<Open> open_;  // The innermost last.
};

}  // namespace imap
