package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// robot makes a service account that may do what the help says suffices, and
// returns the kubeconfig of it when it works.
func (c *cluster) robot(t *testing.T, namespace string) (kubeconfig string) {
	t.Helper()
	c.kubectl(t, "create", "serviceaccount", "robot", "-n", namespace)
	c.kubectl(t, "create", "role", "htpasswd", "-n", namespace, "--verb=get,update", "--resource=secrets", "--resource-name=registry-auth")
	c.kubectl(t, "create", "rolebinding", "htpasswd", "-n", namespace, "--role=htpasswd", "--serviceaccount="+namespace+":robot")
	kubeconfig = c.kubeconfig(t, c.url, c.token(t, namespace, "robot", time.Now().Add(time.Hour)), namespace)
	require.Eventually(t, func() bool {
		status, _ := plugin(t, kubeconfig, "import", os.DevNull)
		return status == 0
	}, runFor, 50*time.Millisecond)
	return kubeconfig
}

// token signs one for a service account, as the API server does.
func (c *cluster) token(t *testing.T, namespace, account string, expires time.Time) string {
	t.Helper()
	uid := c.kubectl(t, "get", "serviceaccount", account, "-n", namespace, "-o", "jsonpath={.metadata.uid}")
	encode := func(part any) string {
		text, err := json.Marshal(part)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	type object = map[string]any
	text := encode(object{"alg": "ES256", "typ": "JWT"}) + "." + encode(object{
		"iss": issuer, "aud": []string{issuer}, "sub": "system:serviceaccount:" + namespace + ":" + account,
		"nbf": expires.Add(-24 * time.Hour).Unix(), "iat": expires.Add(-24 * time.Hour).Unix(), "exp": expires.Unix(),
		"kubernetes.io": object{"namespace": namespace, "serviceaccount": object{"name": account, "uid": uid}},
	})
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, c.key, digest[:])
	require.NoError(t, err)
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// With a token that has expired a person is told so, and not asked for a password.
// It differs from one that works in nothing but its time.
func TestExpiredToken(t *testing.T) {
	c := startCluster(t)
	namespace := c.newNamespace(t)
	c.registryAuth(t, namespace, "elton:"+hash+"\n")
	c.robot(t, namespace)

	expired := c.kubeconfig(t, c.url, c.token(t, namespace, "robot", time.Now().Add(-time.Hour)), namespace)
	for _, args := range [][]string{{"add", "gordon"}, {"rename", "elton", "gordon"}, {"list"}} {
		status, stderr := plugin(t, expired, args...)
		assert.Equal(t, 1, status)
		assert.Contains(t, stderr, "the cluster does not accept your credentials: they are wrong or have expired\n")
	}
}
