// Package pixel is the door for mails and links: an image that tells of an
// opened mail, and a redirect that tells of a clicked link. It goes only to
// hosts that the operator has listed.
package pixel
