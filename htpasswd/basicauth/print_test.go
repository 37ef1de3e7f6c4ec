package basicauth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is printed of an Authenticator that is in use holds no hash and no key.
func TestPrintsNoSecret(t *testing.T) {
	hash := hashed(t, "d0cker")
	a := load(t, &Authenticator{CacheTTL: time.Hour}, "elton:"+hash)
	require.NoError(t, a.Verify(t.Context(), "elton", "d0cker"))
	c := a.ready().mac("login", "true", "elton", hash, "d0cker")
	require.True(t, a.ready().remembers(c))

	printed := map[string]string{}
	for _, verb := range "vsqxXdobcUeEfFgGtTp" {
		for _, flag := range []string{"", "+", "#", " "} {
			format := "%" + flag + string(verb)
			printed[format] = fmt.Sprintf(format, a)
			printed[format+" in a struct"] = fmt.Sprintf(format, struct{ users *Authenticator }{a})
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "a", a)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", a)
	printed["slog"] = log.String()
	var value any = a
	text, _ := json.Marshal(value) //nolint:staticcheck // SA1026: that it fails is one way to print nothing
	printed["json"] = string(text)

	for _, secret := range [][]byte{a.ready().key[:8], c[:8], []byte(hash), []byte("d0cker")} {
		list := fmt.Sprintf("%d", secret)
		for how, text := range printed {
			for _, form := range []string{string(secret), hex.EncodeToString(secret), fmt.Sprintf("%X", secret), list[1 : len(list)-1]} {
				assert.NotContains(t, text, form, how)
			}
		}
	}
}

func TestHas(t *testing.T) {
	a := &Authenticator{}
	_, err := a.Has(t.Context(), "elton")
	require.Equal(t, errNothingLoaded, err)
	load(t, a, "elton:"+ofCost(4)+"\nfrancis:x\n")
	for user, want := range map[string]bool{"elton": true, "francis": false, "nobody": false, "": false} {
		got, err := a.Has(t.Context(), user)
		require.NoError(t, err)
		assert.Equal(t, want, got, user)
	}
}
