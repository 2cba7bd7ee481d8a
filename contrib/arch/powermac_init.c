/* powermac_init.c - process 1 of the emulated PowerMac: run each line of /commands, say how it ended, power off.
 *
 * A line is words with single spaces between; words NAME=VALUE before the program are its environment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define WORDS_MAX 128
#define CONSOLE_LEVEL 8 /* klogctl: how grave a kernel message must be to be shown */
#define ONLY_PANICS 1

static void run(char *line)
{
    char *words[WORDS_MAX + 1];
    char *word = strtok(line, " \n");
    size_t count = 0;

    for (; word != NULL && count < WORDS_MAX; word = strtok(NULL, " \n"))
        if (count == 0 && strchr(word, '=') != NULL)
            putenv(word);
        else
            words[count++] = word;
    words[count] = NULL;
    if (count == 0)
        _exit(0);
    execv(words[0], words);
    perror(words[0]);
    _exit(127);
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    FILE *commands = fopen("/commands", "r");

    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    klogctl(CONSOLE_LEVEL, NULL, ONLY_PANICS);
    if (commands == NULL)
        perror("/commands");
    while (commands != NULL && fgets(line, sizeof line, commands) != NULL) {
        int status = 0;
        pid_t child;

        printf("\nINIT begin %s", line);
        fflush(stdout);
        child = fork();
        if (child == 0)
            run(line);
        waitpid(child, &status, 0);
        /* As a shell says it: 128 and the signal where one ended the program. */
        printf("\nINIT end %d\n", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
        fflush(stdout);
    }
    printf("INIT power off\n");
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}
