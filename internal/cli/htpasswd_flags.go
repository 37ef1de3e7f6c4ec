package cli

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/registryctl/registryctl/htpasswd"
)

// otherAlgorithms are what Apache's program writes besides bcrypt.
var otherAlgorithms = map[byte]string{
	'm': "MD5", 'd': "CRYPT", 's': "SHA-1", 'p': "plain text", '2': "SHA-256", '5': "SHA-512",
}

// parse reads the command line. Errors have the words and the order of Apache's
// program.
func (o *htpasswdOptions) parse(args []string) error {
	modes, operands, err := o.parseFlags(args)
	if err != nil {
		return err
	}
	if len(modes) > 0 {
		o.mode = modes[0]
	}
	if strings.Trim(modes, string(o.mode)) != "" {
		return fail(exitUsage, "", "only one of -c -n -v -D may be specified")
	}
	if o.mode == 'n' && len(modes) > 1 {
		return misused("-n is given twice")
	}
	return o.setOperands(operands)
}

// parseFlags reads the flags up to the first operand. It returns the modes as they
// were given, and pflag.ErrHelp for --help.
func (o *htpasswdOptions) parseFlags(args []string) (modes string, operands []string, err error) {
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
				o.source = letter
			case letter == 'B' || otherAlgorithms[letter] != "":
				o.algorithm = letter
			case letter == 'C' || letter == 'r':
				if cluster == "" && len(args) == 0 {
					return "", nil, misused("option requires an argument -- %c", letter)
				}
				if cluster == "" {
					cluster, args = args[0], args[1:]
				}
				if err := o.setCost(cluster); err != nil {
					return "", nil, err
				}
				cluster = ""
			default:
				return "", nil, misused("illegal option -- %c", letter)
			}
		}
	}
	return modes, args, nil
}

// setCost reads a number as strtol does, which skips whitespace before it. One
// that is too large is refused later, as by Apache's program.
func (o *htpasswdOptions) setCost(value string) error {
	const tooHigh = apacheMaxCost + 1
	n, err := strconv.ParseInt(strings.TrimLeft(value, " \t\n\v\f\r"), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || n <= 0 {
		return fail(exitUsage, "", "argument to -C/-r must be a positive integer")
	}
	o.cost = int(min(n, tooHigh))
	return nil
}

func (o *htpasswdOptions) setOperands(operands []string) error {
	type operand struct {
		value *string
		name  string
		max   int // bytes
		long  string
	}
	wanted := []operand{
		{&o.file, "passwordfile", 4095, "filename too long"},
		{&o.user, "username", htpasswd.MaxUserBytes, "username too long (> 255)"},
		{&o.password, "password", 255, "password too long (> 255)"},
	}
	if o.source != 'b' {
		wanted = wanted[:2]
	}
	if o.mode == 'n' {
		wanted = wanted[1:]
	}
	if len(operands) < len(wanted) {
		return misused("%s is missing", wanted[len(operands)].name)
	}
	if len(operands) > len(wanted) {
		return misused("too many operands")
	}
	for i, w := range wanted {
		if len(operands[i]) > w.max {
			return fail(exitPassword, "", "%s", w.long)
		}
		*w.value = operands[i]
		if w.value == &o.user && strings.Contains(o.user, ":") {
			return fail(exitName, "", "username contains illegal character ':'")
		}
	}
	return nil
}

// An apacheMisuse is the error of a command line that the usage is printed for.
type apacheMisuse struct{ error }

func (e apacheMisuse) Unwrap() error { return e.error }

func misused(format string, args ...any) error {
	return apacheMisuse{fail(exitUsage, "--help describes the flags", format, args...)}
}
