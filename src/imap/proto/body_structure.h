// ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 §7.4.2).
#pragma once

#include <functional>
#include <string>

#include "mail/envelope_fields.h"
#include "mail/mime.h"

namespace imap {

void AppendEnvelope(std::string& out, const mail::EnvelopeFields& envelope);

// The header of an enclosed message as ENVELOPE needs it: asked for once for each message/rfc822 part.
using EnvelopeSource = std::function<mail::EnvelopeFields(const mail::MimePart& message)>;

// `extended`: with the extension data, as BODYSTRUCTURE has it and BODY has not.
void AppendBodyStructure(std::string& out, const mail::MimePart& part, bool extended,
                         const EnvelopeSource& envelope_of);

}  // namespace imap
