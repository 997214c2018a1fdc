// The parts of a node in the order in which they depend on each other: destroyed from the last to the first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "admin/commands.h"
#include "admin/control_server.h"
#include "admin/http_pages.h"
#include "admin/http_server.h"
#include "admin/queue_pages.h"
#include "app/listeners.h"
#include "app/node.h"
#include "app/outgoing.h"
#include "app/reloader.h"
#include "app/start_progress.h"
#include "app/store_directory.h"
#include "app/volume_file.h"
#include "async/worker_pool.h"
#include "auth/authenticator.h"
#include "base/random.h"
#include "deliver/dispatcher.h"
#include "deliver/local_courier.h"
#include "history/history.h"
#include "history/watch.h"
#include "imap/server/recent_tracker.h"
#include "imap/server/settings.h"
#include "mffs/buffer_pool.h"
#include "mffs/volume.h"
#include "net/tls_context.h"
#include "pop3/server/maildrop_locks.h"
#include "pop3/server/settings.h"
#include "queue/mail_queue.h"
#include "replog/local_coordinator.h"
#include "replog/log.h"
#include "smtp/server/settings.h"
#include "store/mail_store.h"

namespace app {

// How far Start() got, so that Stop() takes back just that.
struct Node::Parts {
  Parts(NodeConfig node_config, NodeWorld node_world) : config(std::move(node_config)), world(std::move(node_world)) {}

  NodeConfig config;
  NodeWorld world;
  StartProgress progress{world.clock, world.on_progress};
  base::MetricsRegistry metrics;
  base::Random random{base::SecureRandom64()};

  async::WorkerPool file_worker{{.name = "files"}};
  Reloader reloader{&file_worker};
  OpenedVolumeFile volume_file;
  std::unique_ptr<mffs::Volume> volume;
  std::unique_ptr<mffs::BufferPool> buffers;
  std::unique_ptr<replog::LocalCoordinator> coordinator;
  std::unique_ptr<history::History> history;
  std::unique_ptr<replog::Log> log;
  std::unique_ptr<store::MailStore> store;
  deliver::NextHopTable next_hops;
  std::unique_ptr<queue::MailQueue> queue;
  // What the log drives: the two above, and the history sees what happens to them.
  std::unique_ptr<history::MailboxWatch> mailbox_watch;
  std::unique_ptr<history::QueueWatch> queue_watch;
  std::unique_ptr<StoreDirectory> directory;
  std::unique_ptr<auth::Authenticator> authenticator;
  std::unique_ptr<net::TlsContext> tls;

  std::unique_ptr<deliver::Notices> notices;
  std::unique_ptr<deliver::LocalCourier> courier;
  std::unique_ptr<deliver::Dispatcher> dispatcher;
  std::unique_ptr<Outgoing> outgoing;
  smtp::Settings smtp_settings;
  smtp::Settings submission_settings;
  smtp::SubmissionLimit submission_limit;
  smtp::Services smtp_services;
  pop3::server::MaildropLocks maildrop_locks;
  pop3::server::Settings pop3_settings;
  pop3::server::Services pop3_services;
  imap::RecentTracker recent;
  imap::Settings imap_settings;
  imap::Services imap_services;

  std::unique_ptr<admin::QueuePages> queue_pages;
  std::unique_ptr<admin::HttpPages> pages;
  std::unique_ptr<admin::HttpServer> http;
  std::unique_ptr<admin::Commands> commands;
  std::unique_ptr<admin::ControlServer> control;
  std::unique_ptr<Listeners> listeners;
  bool log_runs = false;

  async::Executor executor() const { return world.shard->executor(); }
};

}  // namespace app
