package main

// The help of the program itself.
const (
	longHelp = `Manage the htpasswd users in a Kubernetes or OpenShift Secret, without Apache:
those of a registry, of OpenShift's HTPasswd identity provider, of Traefik, of
an ingress controller.

The users are in one key of the Secret, which holds an htpasswd file; the help
of the commands calls it the file. Without --key it is the key named htpasswd,
users or auth, or the only key, if it is empty or holds users. The variables
KUBECTL_REGISTRYCTL_SECRET and KUBECTL_REGISTRYCTL_KEY replace the flags.

An edit changes this key and nothing else. If others edit the Secret at the same
time, or the server is away for a moment, the edit is tried again until the time
of --retry-timeout is over. All edits are kept, except that kubectl edit and a
client-side kubectl apply of an older manifest undo them. With --dry-run=server
the cluster does everything but store the edit. "-o yaml" prints the Secret;
with --dry-run=client this is a manifest, for kubeseal or a repository.

You need the verbs get and update on the Secret, and create for --create:

  kubectl create role htpasswd -n registry --verb=get,update \
    --resource=secrets --resource-name=registry-auth

A Pod sees an edit within a minute or two, but never sees one of a Secret that
it mounts by subPath. verify --registry HOST --wait 90s waits for that. The
registry need not be restarted.

The flags by which kubectl chooses the cluster and the user are accepted, too,
such as --as, --token or --request-timeout; "kubectl options" lists them.`

	exitHelp = `0   done
1   the cluster cannot be reached, or refuses the request
2   usage error
3   wrong password
4   interrupted
5   password refused: empty, over 72 bytes, a NUL byte, more than one line
6   user name refused, unknown or already taken
7   the server does not accept the text or an entry
8   import --dry-run --exit-code: changes are pending`

	exampleHelp = `  kubectl registryctl add elton -n registry --secret registry-auth
  kubectl registryctl add elton --secret registry-auth --dry-run=client -o yaml
  oc registryctl list -n openshift-config --secret htpass-secret`
)

// Parts of the help of commands, and of their hints.
const (
	createHelp = "With --create the Secret is created, or the key in it, where it is missing."
	loginHelp  = `With --pull-secret the login is saved for image pulls, in a Secret of the type
kubernetes.io/dockerconfigjson, which then holds the password. It is created if
it does not exist, and other logins in it are kept. A generated password is not
printed then. The flag may be repeated, for Secrets in several namespaces.`
	staleHint = "the Pod of a registry sees an edit within a minute or two, and never one of a Secret that it mounts by subPath; --wait 90s waits for it"
)
