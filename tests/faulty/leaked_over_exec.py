"""A server that runs a helper which inherits its listener. Mended: the listener is close-on-exec, as Python makes it."""

import subprocess

from peer import MENDED, listener

listening = listener()
listening.set_inheritable(not MENDED)
subprocess.run(["/bin/sleep", "0.1"], close_fds=False, check=True)
listening.close()
