#include "app/commands.h"

#include <CLI/CLI.hpp>

#include "app/commands_config.h"
#include "app/commands_invocation.h"
#include "app/commands_queue.h"
#include "app/commands_status.h"
#include "app/commands_text.h"
#include "app/commands_trace.h"
#include "app/commands_user.h"
#include "app/man_pages.h"
#include "app/mffs_commands.h"
#include "app/sendmail.h"
#include "app/serve.h"
#include "app/transfer_commands.h"
#include "app/version.h"

namespace app {
namespace {

void AddServe(CLI::App* root, Invocation* invocation) {
  CLI::App* const serve =
      root->add_subcommand("serve", "Run a node in the foreground until SIGINT or SIGTERM; SIGHUP reloads");
  serve->footer("Example:\n  posthorn serve --config /etc/posthorn/posthorn.toml");
  invocation->SetAction(serve, [invocation] { return Serve(invocation->ConfigPath()); });
}

int PrintVersion(const Invocation& invocation) {
  const BuildFacts build = Build();
  if (invocation.is_json()) {
    return invocation.PrintJson(
        {{"version", build.version}, {"compiler", build.compiler}, {"build_type", build.build_type}});
  }
  invocation.out() << "posthorn " << build.version << "\ncompiler: " << build.compiler
                   << "\nbuild type: " << build.build_type << '\n';
  return kExitOk;
}

void AddVersion(CLI::App* root, Invocation* invocation) {
  CLI::App* const version = root->add_subcommand("version", "Print version, compiler and build type");
  version->footer("Examples:\n  posthorn version\n  posthorn version --json");
  invocation->SetAction(version, [invocation] { return PrintVersion(*invocation); });
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv, Terminal terminal) {
  if (argc > 0) {
    if (const auto exit_code = RunByName(argv[0], {argv + 1, argv + argc}, terminal)) return *exit_code;
  }
  CLI::App root("Posthorn: a mail system on a file system of its own", "posthorn");
  root.fallthrough();  // Inherited: the common options may stand after the command.
  root.require_subcommand(1);
  root.footer(
      "Examples:\n"
      "  posthorn serve --config config/dev.toml\n"
      "  posthorn user add alice@example.test\n"
      "  posthorn queue list\n"
      "  posthorn trace alice@example.test --since 2h\n"
      "`posthorn COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 wrong usage, 75 the node is not running.");
  Invocation invocation(terminal);
  invocation.AddOptions(&root);
  AddServe(&root, &invocation);
  ConfigSubcommands config(&root, &invocation);
  UserSubcommands users(&root, &invocation);
  QueueSubcommands queue(&root, &invocation);
  TraceSubcommand trace(&root, &invocation);
  AddSendmail(&root, &invocation);
  AddStatusSubcommand(&root, &invocation);
  TransferSubcommands transfers(&root, &invocation);
  MffsSubcommands mffs(&root, &invocation);
  AddVersion(&root, &invocation);
  AddManPages(&root, &invocation);
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help comes as an "error" too, with code 0.
    if (error.get_exit_code() == 0) return root.exit(error, *terminal.out, *terminal.err);
    *terminal.err << "posthorn: " << Printable(error.what()) << "; run the command with --help to see how it is used\n";
    return kExitUsage;
  }
  return invocation.Run();
}

}  // namespace app
