/* The first process of each pod: it holds the pod's namespaces open, and does nothing else. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  sigset_t wanted;
  int signal;

  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigaddset(&wanted, SIGCHLD);
  sigprocmask(SIG_BLOCK, &wanted, NULL);
  while (sigwait(&wanted, &signal) == 0) {
    if (signal != SIGCHLD) return 0;
    /* Orphans of a pod that shares its process namespace come to the first process in it. */
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  }
  return 1;
}
