package lint

// A Kind says what a finding is about. Its text is an identifier that stays.
type Kind string

// The kinds of findings. What one comes to at a server, a Finding says; the last
// three are of the file and not of its text: [CheckMode] finds them.
const (
	UTF16            Kind = "utf-16"                         // the whole text is UTF-16
	BOM              Kind = "byte-order-mark"                // a byte order mark before a user's name
	BOMBeforeComment Kind = "byte-order-mark-before-comment" // a byte order mark before a comment
	NoColon          Kind = "no-colon"                       // a line that is no entry
	LineTooLong      Kind = "line-too-long"                  // more bytes than the server reads
	LoneCR           Kind = "lone-cr"                        // a carriage return where a line should end
	GluedLines       Kind = "glued-lines"                    // an entry behind the hash of another one
	BlankAroundLine  Kind = "blank-around-line"              // blanks before a name, or behind a hash
	BlankAroundName  Kind = "blank-around-name"              // blanks, or what is invisible, as a part of the name
	BlankBeforeHash  Kind = "blank-before-hash"              // blanks behind the colon
	Backslash        Kind = "backslash-at-line-end"          // one at the end of a line, which Apache httpd joins with the next
	Unread           Kind = "unread-line"                    // an entry that the line before keeps from being read
	EmptyName        Kind = "empty-name"                     // a colon without a name before it
	BadName          Kind = "bad-name"                       // a name that few clients can log in with
	NULInName        Kind = "nul-in-name"                    // a NUL byte in a name
	Duplicate        Kind = "duplicate-user"                 // a line of a user for whom another line counts
	EmptyHash        Kind = "empty-hash"                     // a name with nothing behind the colon
	UnknownHash      Kind = "unknown-hash"                   // a hash of no known scheme
	NotBcrypt        Kind = "not-bcrypt"                     // a hash of another scheme than the registry accepts
	MaybeDES         Kind = "maybe-des"                      // 13 characters that may be a hash or a password
	PlainHash        Kind = "plain-password"                 // {PLAIN}, and the password itself
	SSHAHash         Kind = "ssha-hash"                      // {SSHA}, which nginx knows
	BrokenBcrypt     Kind = "broken-bcrypt"                  // bcrypt that is cut or damaged
	OddBcrypt        Kind = "odd-bcrypt"                     // bcrypt that only the registry takes, such as $2$ or a cost of +5
	Prefix2b         Kind = "prefix-2b"                      // $2b$, which Apache httpd leaves to the system
	Prefix2x         Kind = "prefix-2x"                      // $2x$, which is for a bug in other letters than ASCII
	TextAfterHash    Kind = "text-after-hash"                // text that only the registry does not look at
	ThirdField       Kind = "third-field"                    // a field behind the hash
	LowCost          Kind = "low-cost"                       // a cost below 10
	HighCost         Kind = "high-cost"                      // a cost above 12
	NoNewline        Kind = "no-final-newline"               // a last line that does not end
	OthersRead       Kind = "readable-by-others"             // a file that everyone may read
	OthersWrite      Kind = "writable-by-others"             // a file that everyone may write
	OwnerOnly        Kind = "readable-by-owner-only"         // a file that the server's workers cannot read
)

// An effect is what a kind comes to at a server.
type effect struct {
	severity Severity
	does     string
}

type effects map[Server]effect

// everywhere is for what does not depend on the server.
func everywhere(s Severity, does string) effects {
	return effects{Registry: {s, does}, Nginx: {s, does}, Apache: {s, does}}
}

const (
	fixIt  = "registryctl check --fix mends it"
	passwd = "registryctl user passwd sets a new password, as bcrypt"
)

// kinds has each kind: what it is, what it does at which server, and what to do
// about it. At a server that is not named it is no finding.
var kinds = map[Kind]struct {
	what string // with a place for each detail
	at   effects
	hint string
}{
	UTF16: {"the file is UTF-16, as Windows PowerShell 5.1 writes it with > and Out-File", effects{
		Registry: {Error, "the registry cannot read it, and lets nobody in"},
		Nginx:    {Error, "nginx finds no user in it"},
		Apache:   {Error, "Apache httpd finds no user in it"},
	}, fixIt},
	BOM: {"an invisible mark before the name", everywhere(Error, "it is taken for a part of the name"), fixIt},
	BOMBeforeComment: {"a byte order mark before a comment", effects{
		Registry: {Warning, "the registry takes it for a user"},
		Nginx:    {Warning, "nginx takes it for a user"},
		Apache:   {Warning, "Apache httpd takes it for a user"},
	}, fixIt},
	NoColon: {"no colon in the line", effects{
		Registry: {Error, "the registry answers 400 to everyone"},
		Nginx:    {Warning, "nginx skips it"},
		Apache:   {Warning, "Apache httpd skips it"},
	}, "registryctl check --fix makes it a comment"},
	LineTooLong: {"a line of more than %d bytes", effects{
		Registry: {Error, "the registry answers 400 to everyone"},
		Apache:   {Error, "Apache httpd reads neither it nor what is behind it"},
	}, "registryctl check --fix makes comments of it, if it has more than 65535"},
	LoneCR:     {"a carriage return where a line should end", everywhere(Error, "the user behind it is not seen"), fixIt},
	GluedLines: {"no line end before the name", everywhere(Error, "the user is taken for a part of the record before"), fixIt},
	BlankAroundLine: {"blanks before the name", effects{
		Nginx:  {Error, "nginx takes them for a part of it"},
		Apache: {Error, "Apache httpd takes them for a part of it"},
	}, "remove them"},
	Backslash: {"a backslash at the end of the line", effects{
		Apache: {Warning, "Apache httpd reads the next line as a part of this one"},
	}, "remove it"},
	Unread: {"the line before", effects{
		Nginx:  {Error, "nginx takes the user's line for a part of it"},
		Apache: {Error, "Apache httpd takes the user's line for a part of it, or reads no further"},
	}, "remove or mend it"},
	BlankAroundName: {"blanks around the name", everywhere(Error, "it is another name than the one without them"), fixIt},
	BlankBeforeHash: {"blanks before the hash", everywhere(Error, "they are taken for a part of it, and no password is right"), fixIt},
	EmptyName: {"no user name", effects{
		Registry: {Warning, "who has the password gets in without a name"},
		Nginx:    {Error, "nginx lets nobody in without a name"},
		Apache:   {Warning, "who has the password gets in without a name"},
	}, "registryctl user remove '' removes it"},
	BadName: {"the name %s", everywhere(Warning, "few clients can log in with it"), "registryctl user rename gives it another one"},
	NULInName: {"a NUL byte in the name", effects{
		Apache: {Error, "Apache httpd ends the line there"},
	}, "registryctl user remove removes it"},
	Duplicate: {"the same user is on line %d as well", effects{
		Registry: {Warning, "the registry goes by the last line, and this one does not count"},
		Nginx:    {Warning, "nginx goes by the first line, and this one does not count"},
		Apache:   {Warning, "Apache httpd goes by the first line, and this one does not count"},
	}, "registryctl check --fix keeps the last line"},
	EmptyHash:   {"no hash", everywhere(Error, "no password is right"), passwd},
	UnknownHash: {"a hash of no known scheme", everywhere(Error, "no password is right"), passwd},
	MaybeDES: {"13 characters that are a DES hash, or a password as it is", effects{
		Nginx:  {Warning, "nginx takes them for a hash"},
		Apache: {Warning, "Apache httpd takes them for a hash"},
	}, passwd},
	NotBcrypt: {"%s hash", effects{
		Registry: {Error, "the registry accepts only bcrypt"},
	}, passwd},
	PlainHash: {"the password itself, unhashed", effects{
		Nginx:  {Warning, "nginx takes it, and everyone who reads the file has it"},
		Apache: {Error, "Apache httpd does not know this form"},
	}, passwd},
	SSHAHash: {"ssha hash", effects{
		Apache: {Error, "Apache httpd does not know it"},
	}, passwd},
	BrokenBcrypt: {"a bcrypt hash that is cut or damaged", everywhere(Error, "no password is right"), passwd},
	OddBcrypt: {"a bcrypt hash in an unusual form", effects{
		Registry: {Warning, "the registry takes it, other servers do not"},
		Nginx:    {Error, "nginx does not take it"},
		Apache:   {Error, "Apache httpd does not take it"},
	}, passwd},
	Prefix2b: {"a bcrypt hash that begins with $2b$", effects{
		Apache: {Warning, "Apache httpd leaves it to the system's crypt, which may not know it"},
	}, passwd},
	Prefix2x: {"a bcrypt hash that begins with $2x$", everywhere(Warning, "a password with other than ASCII characters may not be right"), passwd},
	TextAfterHash: {"text behind the hash", effects{
		Registry: {Warning, "the registry does not look at it, other servers do"},
		Nginx:    {Error, "nginx takes it for a part of the hash, and no password is right"},
		Apache:   {Error, "Apache httpd takes it for a part of the hash, and no password is right"},
	}, passwd},
	ThirdField: {"a third field behind the hash", effects{
		Registry: {Warning, "it means nothing"},
	}, "remove it"},
	LowCost:    {"cost %d is below 10", everywhere(Warning, "whoever gets hold of the file can try many passwords a second"), "registryctl user passwd sets it anew, at cost 10"},
	HighCost:   {"cost %d is above 12", everywhere(Warning, "each request takes long"), "registryctl user passwd --cost 10 sets it anew"},
	NoNewline:  {"no newline at the end of the file", everywhere(Warning, "what another tool appends would be glued to the last line"), fixIt},
	OthersRead: {"everyone on the machine may read the file", everywhere(Warning, "they can try passwords against its hashes"), "chmod o-r"},
	OthersWrite: {"everyone on the machine may write the file",
		everywhere(Warning, "they can let themselves in"), "chmod o-w"},
	OwnerOnly: {"only root may read the file", effects{
		Nginx:  {Error, "the workers of nginx run as another user, and answer 500"},
		Apache: {Error, "the workers of Apache httpd run as another user, and answer 500"},
	}, "chgrp it to the group of the server and chmod g+r"},
}
