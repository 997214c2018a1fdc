#include "app/man_pages.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "app/config.h"
#include "app/version.h"

namespace app {
namespace {

constexpr std::string_view kPagesDate = "2026-11-23";

// Text as it stands: no byte of it is a request or an escape.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '`') {
      out += "\\(ga";
    } else {
      out += c;
    }
  }
  if (out.starts_with('.')) out.insert(0, "\\&");
  return out;
}

// A paragraph: what stands in backquotes becomes bold.
std::string Paragraph(std::string_view text) {
  std::string out;
  bool is_bold = false;
  while (!text.empty()) {
    const std::size_t quote = text.find('`');
    out += Escaped(text.substr(0, quote));
    if (quote == std::string_view::npos) break;
    is_bold = !is_bold;
    out += is_bold ? "\\fB" : "\\fR";
    text.remove_prefix(quote + 1);
  }
  if (is_bold) out += "\\fR";
  return out + "\n";
}

std::string Title(std::string_view name, int section) {
  std::string upper(name);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return fmt::format(
      ".\\\" Made by `posthorn man` from the text of --help.\n.TH {} {} {} \"posthorn {}\" \"Posthorn\"\n", upper,
      section, kPagesDate, Build().version);
}

// A footer of --help: lines that begin with two spaces are commands or tables, the others text.
// It stands behind a heading (`is_first`) or a paragraph.
std::string Footer(const std::string& footer, bool is_first = false) {
  std::string out;
  bool is_literal = false;
  for (std::size_t at = 0; at < footer.size();) {
    const std::size_t end = std::min(footer.find('\n', at), footer.size());
    const std::string_view line = std::string_view(footer).substr(at, end - at);
    at = end + 1;
    const bool literal = line.starts_with("  ");
    const bool behind_heading = is_first && out.empty();
    if (is_literal && !literal) out += ".RE\n.fi\n";
    if (is_literal != literal || !literal) out += behind_heading ? "" : ".PP\n";
    if (literal && !is_literal) out += ".nf\n.RS 4\n";
    is_literal = literal;
    out += literal ? Escaped(line.substr(2)) + "\n" : Paragraph(line);
  }
  return is_literal ? out + ".RE\n.fi\n" : out;
}

bool IsShown(const CLI::App* command) {
  return !command->get_group().empty();
}

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  std::vector<const CLI::App*> commands;
  for (const CLI::App* const command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (IsShown(command)) commands.push_back(command);
  }
  return commands;
}

// "queue show [OPTIONS] ID"
std::string Synopsis(const CLI::App& command, const std::string& path) {
  std::string out = "\\fB" + Escaped(path) + "\\fR [\\fIOPTIONS\\fR]";
  for (const CLI::Option* const option : command.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = "\\fI" + Escaped(option->get_name(true)) + "\\fR";
    out += option->get_required() ? " " + name : " [" + name + "]";
  }
  if (command.get_prefix_command()) out += " [\\fIARGUMENT\\fR ...]";
  if (!CommandsOf(command).empty()) out += " \\fICOMMAND\\fR";
  return out + "\n";
}

std::string Options(const CLI::App& command) {
  std::string out;
  for (const CLI::Option* const option : command.get_options()) {
    if (option->get_group().empty() || option == command.get_help_ptr()) continue;
    const bool is_positional = option->get_positional();
    out += ".TP\n";
    if (is_positional) {
      out += "\\fI" + Escaped(option->get_name(true)) + "\\fR";
    } else {
      out += "\\fB" + Escaped(option->get_name(false, true)) + "\\fR";
      const std::string type = option->get_type_name();
      if (!type.empty() && option->get_items_expected() != 0) out += " \\fI" + Escaped(type) + "\\fR";
    }
    const std::string text = option->get_description();
    out += "\n" + Paragraph(text.empty() ? "As its name says." : text);
  }
  return out;
}

// A command below a group: "show" in posthorn-queue(1).
std::string Section(const CLI::App& command, const std::string& path) {
  std::string out =
      ".SS " + Escaped(path) + "\n" + Synopsis(command, path) + ".PP\n" + Paragraph(command.get_description());
  out += Options(command);
  out += Footer(command.get_footer());
  for (const CLI::App* const below : CommandsOf(command)) out += Section(*below, path + " " + below->get_name());
  return out;
}

std::string SeeAlso(const CLI::App& root, const std::string& own) {
  std::string out = ".SH SEE ALSO\n";
  const auto add = [&](const std::string& name, int section) {
    if (name != own) out += fmt::format("\\fB{}\\fR({}),\n", Escaped(name), section);
  };
  add("posthorn", 1);
  for (const CLI::App* const command : CommandsOf(root)) add("posthorn-" + command->get_name(), 1);
  add("posthorn.toml", 5);
  out.erase(out.rfind(','), 1);
  return out;
}

std::string CommandPage(const CLI::App& root, const CLI::App& command) {
  const std::string name = "posthorn-" + command.get_name();
  const std::string path = "posthorn " + command.get_name();
  std::string out = Title(name, 1);
  out += ".SH NAME\n" + Escaped(name) + " \\- " + Escaped(command.get_description()) + "\n";
  out += ".SH SYNOPSIS\n" + Synopsis(command, path) + ".SH DESCRIPTION\n" + Footer(command.get_footer(), true);
  out +=
      ".SH OPTIONS\n\\fB\\-h,\\-\\-help\\fR prints a summary. The options of all commands are in "
      "\\fBposthorn\\fR(1).\n";
  out += Options(command);
  const auto below = CommandsOf(command);
  if (!below.empty()) out += ".SH COMMANDS\n";
  for (const CLI::App* const one : below) out += Section(*one, path + " " + one->get_name());
  return out + SeeAlso(root, name);
}

std::string ProgramPage(const CLI::App& root) {
  std::string out = Title("posthorn", 1);
  out +=
      ".SH NAME\nposthorn \\- a mail system on a file system of its own\n.SH SYNOPSIS\n" + Synopsis(root, "posthorn");
  out += ".SH DESCRIPTION\n" + Paragraph(root.get_description() + ".") + Footer(root.get_footer());
  out += ".SH COMMANDS\n";
  for (const CLI::App* const command : CommandsOf(root)) {
    out += ".TP\n\\fB" + Escaped(command->get_name()) + "\\fR\n" + Paragraph(command->get_description());
  }
  return out + ".SH OPTIONS\n" + Options(root) + SeeAlso(root, "posthorn");
}

std::string ConfigPage(const CLI::App& root) {
  std::string out = Title("posthorn.toml", 5);
  out +=
      ".SH NAME\nposthorn.toml \\- configuration of a Posthorn node\n.SH DESCRIPTION\n"
      "A TOML file. A key \\fBa.b\\fR stands in the table \\fB[a]\\fR. An unknown key or a bad value stops the start "
      "with a "
      "sentence that names it. Sizes are texts such as \"64MiB\" (KiB, MiB, GiB, TiB, or no unit for bytes). Keys "
      "marked "
      "\\fIreload\\fR take effect at SIGHUP too.\n.SH KEYS\n";
  for (const ConfigKey& key : ConfigKeys()) {
    const bool reloads = key.takes_effect == ConfigKey::TakesEffect::kReload;
    out += fmt::format(".TP\n\\fB{}\\fR ({}, default {}{})\n", Escaped(key.name), KindOf(key), Escaped(DefaultOf(key)),
                       reloads ? ", \\fIreload\\fR" : "");
    out += Paragraph(key.meaning);
  }
  return out + SeeAlso(root, "posthorn.toml");
}

int WritePages(const CLI::App& root, const std::string& folder, const Invocation& invocation) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  for (const auto& [name, text] : ManPages(root)) {
    const std::string path = fmt::format("{}/{}", folder, name);
    std::ofstream file(path, std::ios::binary);
    if (!(file << text).flush()) return invocation.Fail(base::ErrnoError("write " + path, errno));
  }
  return kExitOk;
}

}  // namespace

std::map<std::string, std::string> ManPages(const CLI::App& root) {
  std::map<std::string, std::string> pages;
  pages["posthorn.1"] = ProgramPage(root);
  for (const CLI::App* const command : CommandsOf(root)) {
    pages["posthorn-" + command->get_name() + ".1"] = CommandPage(root, *command);
  }
  pages["posthorn.toml.5"] = ConfigPage(root);
  return pages;
}

void AddManPages(CLI::App* root, Invocation* invocation) {
  CLI::App* const command = root->add_subcommand("man", "Write the manual pages into a folder");
  command->group("");
  // Shared by the option and the action.
  auto folder = std::make_shared<std::string>();
  command->add_option("FOLDER", *folder, "Where to write them; made when it is missing")->required();
  invocation->SetAction(command, [root, folder, invocation] { return WritePages(*root, *folder, *invocation); });
}

}  // namespace app
