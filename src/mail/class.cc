#include "mail/class.h"

namespace mail {

std::string_view ToString(Class cls) {
  switch (cls) {
    case Class::kNormal:
      return "normal";
    case Class::kKnown:
      return "known";
    case Class::kBulk:
      return "bulk";
    case Class::kSuspect:
      return "suspect";
    case Class::kHeld:
      return "held";
    case Class::kUnjudged:
      return "unjudged";
  }
  return "unknown";
}

}  // namespace mail
