package main

import (
	"maps"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/internal/cli"
)

// A text is the help of a command, in the place of the one that registryctl has.
// What is empty stays.
type text struct{ short, long, more, examples string }

// help gives the commands their texts.
func help(root *cobra.Command) {
	texts[""].set(root)
	for _, cmd := range root.Commands() {
		texts[cmd.Name()].set(cmd)
	}
}

func (t text) set(cmd *cobra.Command) {
	if t.short != "" {
		cmd.Short = t.short
	}
	if t.long != "" {
		cmd.Long = t.long
	}
	if t.examples != "" {
		cmd.Example = t.examples
	}
	if t.more != "" {
		cmd.Annotations = maps.Clone(cmd.Annotations)
		if cmd.Annotations == nil {
			cmd.Annotations = make(map[string]string)
		}
		cmd.Annotations[cli.More] = t.more
	}
}

var texts = map[string]text{
	"": {
		short: "Manage the htpasswd users in a Secret",
		long: `Manage the htpasswd users in a Kubernetes or OpenShift Secret, without Apache:
those of a registry, of OpenShift's HTPasswd identity provider, of Traefik, of
an ingress controller.`,
		more: `The users are in one key of the Secret. Without --key it is the one named
htpasswd, users or auth, or the only one that the Secret has, unless --create
is to make one. What it holds is an htpasswd file, and the help of the commands
calls it the file.

An edit changes this key and nothing else: labels, annotations, owners, type and
the other keys stay. If others edit the Secret at the same time, or the server
goes away for a moment, it is tried again, as long as --retry-timeout says, so
that no edit is lost. Nothing is sent where nothing changes. With
--dry-run=server the cluster does everything but keep it.

Needed are the verbs get and update on the Secret, and create for --create:

  kubectl create role htpasswd -n registry --verb=get,update \
    --resource=secrets --resource-name=registry-auth

A Pod sees an edit within a minute or two, and never one of a Secret that it
mounts by subPath. The registry need not be restarted.

The flags of kubectl that say which cluster and as whom are taken as well, such
as --as, --token or --request-timeout; "kubectl options" lists them.

Exit status:

  0   done
  1   the cluster cannot be reached, or refuses it
  2   usage
  3   wrong password
  4   interrupted
  5   password refused: empty, over 72 bytes, a NUL byte, more than one line
  6   user name bad, unknown or already there
  7   the text, or an entry, is not one that the server accepts
  8   import --dry-run --exit-code: something would be changed`,
		examples: `  kubectl registryctl add elton -n registry --secret registry-auth
  oc registryctl list -n openshift-config --secret htpass-secret`,
	},
	"add": {
		long: `Add a user with a password, hashed with bcrypt. The password is asked for on the
terminal, unless a flag says where it is. With --create the Secret is made, or
the key in it, where it is missing.`,
		more: `With --update a user who is there gets the password, and if they have it
already nothing is changed.

A password comes from one place: the terminal, or one of --password-stdin,
--password-file, --password-env, --generate and --hash. No flag takes it as its
value, as everyone on the machine can read the arguments of a process. Refused
is one that is empty, has more than 72 bytes, a NUL byte or more than one line.

Each step of --cost doubles the time of every request to the registry. An
update never lowers the cost of a hash unless --cost says so, and makes one
below the default anew.

Exit status:

  0  done, or nothing to do
  5  the password is refused
  6  the user is there, without --update, or the name is bad`,
		examples: `  kubectl registryctl add elton -n registry --secret registry-auth
  kubectl registryctl add elton --secret registry-auth --generate
  kubectl registryctl add elton --secret registry-auth --create`,
	},
	"passwd": {
		more: `Where the password comes from, and which are refused, says "kubectl registryctl
help add".

Exit status:

  5  the password is refused
  6  no such user`,
		examples: `  kubectl registryctl passwd elton --secret registry-auth
  kubectl registryctl passwd elton --secret registry-auth --generate`,
	},
	"remove": {
		long: `Remove every line of each user, or nothing at all if one of them is not
there. With --if-exists those who are not there, and a Secret that is not, are
no error.`,
		more: `Any name is taken, also one that could not be added.

Exit status:

  6  one of them is not there`,
		examples: `  kubectl registryctl remove elton francis --secret registry-auth
  kubectl registryctl remove francis --secret registry-auth --if-exists`,
	},
	"rename": {examples: `  kubectl registryctl rename elton elton.stoneman --secret registry-auth`},
	"list": {examples: `  kubectl registryctl list -n registry --secret registry-auth
  kubectl registryctl list --secret registry-auth -o json`},
	"verify": {examples: `  kubectl registryctl verify elton --secret registry-auth
  kubectl registryctl verify elton --secret registry-auth --registry localhost:5000`},
	"import": {examples: `  kubectl registryctl import users.csv --secret registry-auth
  kubectl registryctl import users.json --secret registry-auth --prune --dry-run`},
	"check": {examples: `  kubectl registryctl check --secret registry-auth
  kubectl registryctl check --secret registry-auth --fix --dry-run=server`},
	"help": {examples: `  kubectl registryctl help add`},
}
