/* gracecube: the program. What it can do is in commands.c. */
#include "cli/command.h"

int main(int argc, char **argv)
{
	return gc_command_main(gc_commands, argc, argv);
}
