package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/registryctl/registryctl/htpasswd"
)

// otherAlgorithms are those that Apache's program writes besides bcrypt.
var otherAlgorithms = map[byte]string{
	'm': "MD5", 'd': "CRYPT", 's': "SHA-1", 'p': "plain text", '2': "SHA-256", '5': "SHA-512",
}

// parse reads the command line: what Apache's program complains about, in its
// words and in its order.
func (c *apacheCommand) parse(args []string) error {
	modes, operands, err := c.parseFlags(args)
	if err != nil {
		return err
	}
	if len(modes) > 0 {
		c.mode = modes[0]
	}
	if strings.Trim(modes, string(c.mode)) != "" {
		return fail(exitUsage, "", "only one of -c -n -v -D may be specified")
	}
	if c.mode == 'n' && len(modes) > 1 {
		return c.misused("-n is there twice")
	}
	return c.setOperands(operands)
}

// parseFlags reads the flags up to the first operand. The modes are returned as
// they were given, and pflag.ErrHelp where help is asked for.
func (c *apacheCommand) parseFlags(args []string) (modes string, operands []string, err error) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		cluster := args[0][1:]
		args = args[1:]
		if cluster == "-" {
			break
		}
		if cluster == "-help" {
			return "", nil, pflag.ErrHelp
		}
		for len(cluster) > 0 {
			letter := cluster[0]
			cluster = cluster[1:]
			switch {
			case strings.IndexByte("cnvD", letter) >= 0:
				modes += string(letter)
			case letter == 'b' || letter == 'i':
				c.source = letter
			case letter == 'B' || otherAlgorithms[letter] != "":
				c.algorithm = letter
			case letter == 'C' || letter == 'r':
				if cluster == "" && len(args) == 0 {
					return "", nil, c.misused("option requires an argument -- %c", letter)
				}
				if cluster == "" {
					cluster, args = args[0], args[1:]
				}
				if err := c.setCost(cluster); err != nil {
					return "", nil, err
				}
				cluster = ""
			default:
				return "", nil, c.misused("illegal option -- %c", letter)
			}
		}
	}
	return modes, args, nil
}

// setCost reads a number as strtol does, which skips blanks before it. One that
// is too large is refused later, as Apache's program does.
func (c *apacheCommand) setCost(value string) error {
	const tooHigh = htpasswd.MaxCost + 1
	n, err := strconv.ParseInt(strings.TrimLeft(value, " \t\n\v\f\r"), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || n <= 0 {
		return fail(exitUsage, "", "argument to -C/-r must be a positive integer")
	}
	c.cost = int(min(n, tooHigh))
	return nil
}

func (c *apacheCommand) setOperands(operands []string) error {
	type operand struct {
		value *string
		name  string
		max   int // bytes
		long  string
	}
	wanted := []operand{
		{&c.file, "passwordfile", 4095, "filename too long"},
		{&c.user, "username", htpasswd.MaxUserBytes, "username too long (> 255)"},
		{&c.password, "password", 255, "password too long (> 255)"},
	}
	if c.source != 'b' {
		wanted = wanted[:2]
	}
	if c.mode == 'n' {
		wanted = wanted[1:]
	}
	if len(operands) < len(wanted) {
		return c.misused("%s is missing", wanted[len(operands)].name)
	}
	if len(operands) > len(wanted) {
		return c.misused("too many operands")
	}
	for i, w := range wanted {
		if len(operands[i]) > w.max {
			return fail(exitPassword, "", "%s", w.long)
		}
		*w.value = operands[i]
		if w.value == &c.user && strings.Contains(c.user, ":") {
			return fail(exitName, "", "username contains illegal character ':'")
		}
	}
	return nil
}

// misused is the error of a command line that is no use of the program.
func (c *apacheCommand) misused(format string, args ...any) error {
	fmt.Fprint(c.program.Stderr, apacheUsage)
	return fail(exitUsage, "--help says what each flag does", format, args...)
}
