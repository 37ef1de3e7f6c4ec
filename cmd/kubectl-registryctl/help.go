package main

// The help of the program itself.
const (
	longHelp = `Manage the htpasswd users in a Kubernetes or OpenShift Secret, without Apache:
those of a registry, of OpenShift's HTPasswd identity provider, of Traefik, of
an ingress controller.

The users are in one key of the Secret. Without --key it is the one named
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
as --as, --token or --request-timeout; "kubectl options" lists them.`

	exitHelp = `0   done
1   the cluster cannot be reached, or refuses it
2   usage
3   wrong password
4   interrupted
5   password refused: empty, over 72 bytes, a NUL byte, more than one line
6   user name bad, unknown or already there
7   the text, or an entry, is not one that the server accepts
8   import --dry-run --exit-code: something would be changed`

	exampleHelp = `  kubectl registryctl add elton -n registry --secret registry-auth
  oc registryctl list -n openshift-config --secret htpass-secret`
)
