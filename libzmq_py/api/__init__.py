# SPDX-License-Identifier: MPL-2.0
"""The public face: pyzmq's classes and functions on top of the mirror of libzmq.

Everything here checks arguments the way pyzmq does, calls the core, and gives the result in pyzmq's form. The layers
below know nothing of it. ``libzmq_py`` itself fetches these names when they are first used.

    live.py        which contexts and sockets exist; fork and interpreter exit
    attrsettr.py   options as attributes
    context.py     Context
    socket.py      Socket; its methods are in socket_messages.py, socket_formats.py, socket_endpoints.py,
                   socket_options.py and socket_monitoring.py
    frame.py       Frame
    tracker.py     MessageTracker
    poll.py        Poller, zmq_poll, select
    monitor.py     monitor messages as dicts
    functions.py   proxies, CURVE keys, versions, has

No libzmq twin: src/zmq.cpp and pyzmq's ``zmq.sugar``, divided by subject.
"""
