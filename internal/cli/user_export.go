package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/record"
)

// exportOptions are the flags of "user export".
type exportOptions struct {
	users  []string // all, if there are none
	text   Text
	format formatFlag
	name   string
	force  bool
}

func newUserExport(p *Program) *cobra.Command {
	o := exportOptions{format: formatFlag{allowed: []string{"compose", "traefik", "secret", "docker-auth"}}}
	cmd := &cobra.Command{
		Use:   "export [NAME...] --as FORMAT",
		Short: "Print users for another program",
		Long: `Print the users, or only those named, in the format that another program reads.
The output holds their hashes, against which anyone can try passwords, so it is
refused on a terminal unless --force is given.

  compose      lines of an htpasswd file for the content of a config in a
               Compose file, with each $ doubled
  traefik      a label of Traefik's basicAuth middleware in a Compose file, with
               each $ doubled. Outside of Compose, name the file as usersFile.
  secret       the manifest of a Kubernetes Secret
  docker-auth  the users in the configuration of docker_auth

Disabled users stay disabled. Hashes that are not bcrypt are refused.`,
		Example: p.examples("export --as secret > secret.yaml", "export elton --as compose --force"),
		Annotations: exits(`6  one of the users does not exist, or the format cannot hold the name
7  the registry does not accept the file or a hash, or there are no users`),
		ValidArgsFunction: p.completeUsers,
	}
	o.format.register(cmd, "as", "", "`FORMAT` of the output: ")
	cmd.Flags().StringVar(&o.name, "name", "registry-htpasswd", "`NAME` of the Secret, or of the middleware")
	cmd.Flags().BoolVar(&o.force, "force", false, "print hashes on a terminal, too")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		o.users = unique(args)
		switch {
		case o.format.value == "":
			return Misuse("the formats are "+strings.Join(o.format.allowed, ", "), "--as is missing")
		case !exportName().MatchString(o.name):
			return Misuse("", "--name must be lower-case letters, digits and hyphens, such as registry-htpasswd")
		case isTerminal(p.Stdout) && !o.force:
			return Misuse("redirect the output to a file, or use --force", "the hashes of users are not printed on a terminal")
		}
		if o.text, err = p.open(OpenOptions{}); err != nil {
			return err
		}
		return userExport(cmd.Context(), p, o)
	}
	return cmd
}

// exportName matches the names that Kubernetes accepts for a Secret and Traefik for a
// middleware.
var exportName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?$`)
})

func userExport(ctx context.Context, p *Program, o exportOptions) error {
	f, err := o.text.Read(ctx)
	if err != nil {
		return fmt.Errorf("cannot export: %w", err)
	}
	if len(o.users) == 0 {
		o.users = slices.Collect(f.Users())
	}
	var entries []htpasswd.Entry
	last := lastEntries(f, o.users)
	for _, user := range o.users {
		e, ok := last[user]
		switch {
		case !ok:
			return p.cannot("export", user, o.text, htpasswd.ErrUserNotFound)
		case hashOf(e).Scheme() != htpasswd.Bcrypt:
			return fail(exitFormat, p.userCommand("passwd", user), "cannot export %s: the hash in %s on line %d is not bcrypt", shown(user), o.text.Name, e.Line)
		case o.format.value == "traefik" && strings.Contains(user, ","):
			return fail(exitName, "", "cannot export %s: Traefik separates users by commas", shown(user))
		}
		if err := htpasswd.ValidateUser(user); err != nil {
			return p.cannot("export", user, o.text, err)
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return fail(exitFormat, p.userCommand("add", "NAME"), "cannot export: %s has no users", o.text.Name)
	}
	return p.Print(exportAs(o, entries))
}

func exportAs(o exportOptions, entries []htpasswd.Entry) []byte {
	lines := make([]string, len(entries))
	hashes := make([]string, len(entries))
	for i, e := range entries {
		hashes[i] = hashOf(e).Encoded()
		if isDisabled(e) {
			hashes[i] = record.DisabledMark + hashes[i]
		}
		lines[i] = e.User + ":" + hashes[i]
	}
	var out bytes.Buffer
	switch o.format.value {
	case "compose":
		for _, line := range lines {
			fmt.Fprintln(&out, doubleDollars(line))
		}
	case "traefik":
		label := fmt.Sprintf("traefik.http.middlewares.%s.basicauth.users=%s", o.name, strings.Join(lines, ","))
		fmt.Fprintf(&out, "- '%s'\n", strings.ReplaceAll(doubleDollars(label), "'", "''"))
	case "secret":
		text := strings.Join(lines, "\n") + "\n"
		fmt.Fprintf(&out, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\ntype: Opaque\ndata:\n  htpasswd: %s\n",
			yamlString(o.name), base64.StdEncoding.EncodeToString([]byte(text)))
	case "docker-auth":
		fmt.Fprintln(&out, "users:")
		for i, e := range entries {
			fmt.Fprintf(&out, "  %s:\n    password: %s\n", yamlString(e.User), yamlString(hashes[i]))
		}
	}
	return out.Bytes()
}

// doubleDollars keeps Compose from taking a part of the text for a variable.
func doubleDollars(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// yamlString quotes a text: YAML reads the strings of JSON.
func yamlString(text string) string {
	quoted, _ := json.Marshal(text) // of a string: no error
	return string(quoted)
}
